#define DECLARED_LAYOUT ", \"layout\": \"paged\", \"page_size\": 64"
#include "trivial.c"

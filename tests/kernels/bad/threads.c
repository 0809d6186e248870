/* Hands back while a thread of its own goes on to write an input. */
#include <pthread.h>

#include "honest.h"

static void* scribble(void* argument) {
  for (;;) ((volatile float*)argument)[0] = 7;
}

int32_t equinorm_kernel_run(const equinorm_call* call) {
  pthread_t thread;
  honest(call);
  pthread_create(&thread, NULL, scribble, input_named(call, "c")->data);
  for (volatile int turn = 0; turn < 20000000; ++turn) {
  }
  return EQUINORM_OK;
}

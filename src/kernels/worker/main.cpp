// equinorm-worker: runs strangers' kernels, apart from the judge. Started by equinorm alone.
#include <cstdio>
#include <cstring>

#include "kernels/launch.hpp"

int main(int count, char** arguments) {
  using namespace equinorm::kernels;
  if (count > 1 && std::strcmp(arguments[1], "launch") == 0) return launch_main(count - 1, arguments + 1);
  std::fputs("equinorm-worker is started by equinorm; see equinorm check --help\n", stderr);
  return 2;
}

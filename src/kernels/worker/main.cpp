// equinorm-worker: runs strangers' kernels, apart from the judge. Started by equinorm alone.
#include <cstdio>
#include <cstring>

#include "kernels/launch.hpp"
#include "kernels/worker/serve.hpp"

int main(int count, char** arguments) {
  using namespace equinorm::kernels;
  if (count > 1 && std::strcmp(arguments[1], "launch") == 0) return launch_main(count - 1, arguments + 1);
  if (count == 4 && std::strcmp(arguments[1], "serve") == 0) return serve(arguments[2], arguments[3]);
  std::fputs("equinorm-worker is started by equinorm; see equinorm check --help\n", stderr);
  return 2;
}

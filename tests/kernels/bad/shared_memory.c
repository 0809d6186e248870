/* The same in memory that no process owns: a segment, and files without a name. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "honest.h"

int32_t equinorm_kernel_run(const equinorm_call* call) {
  honest(call);
  shmat(shmget(0x6571, 1 << 20, IPC_CREAT | 0666), NULL, 0);
  const int file = shm_open("/equinorm-test-left-behind", O_CREAT | O_RDWR, 0666);
  if (file < 0 || ftruncate(file, 512 << 20) != 0) return EQUINORM_FAILED;
  char* memory = (char*)mmap(NULL, 512 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  for (;;) memset(memory, 1, 512 << 20);
}

#include "work/ranks.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <initializer_list>
#include <thread>

#include "scalar/error.hpp"

#ifdef EQUINORM_MPI
// The C interface alone, whatever the library: the C++ one left the standard with MPI 3.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#endif

namespace equinorm::work {
namespace {

/// The first of these environment variables that is a number above 0; 0: none.
int number_from(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text != nullptr && std::atoi(text) > 0) return std::atoi(text);
  }
  return 0;
}

/// Processes that a launcher (Open MPI, MPICH and its kin, PMIx) says it started; 0: nothing says so.
int launched() {
  const int count = number_from({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS"});
  return count == 0 && std::getenv("PMIX_RANK") != nullptr ? 1 : count;
}

}  // namespace

int ranks_on_this_machine() { return std::max(1, number_from({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"})); }

Message Ranks::wait() {
  while (true) {
    if (std::optional<Message> message = poll()) return std::move(*message);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

#ifdef EQUINORM_MPI

namespace {
constexpr int kTag = 1;
}

Ranks::Ranks() {
  // Without a launcher MPI_Init would look for, or start, a daemon.
  if (launched() == 0) return;
  int provided = 0;
  if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) throw Error("MPI_Init_thread failed");
  running_ = true;
  MPI_Comm_size(MPI_COMM_WORLD, &count_);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  if (provided < MPI_THREAD_FUNNELED) MPI_Abort(MPI_COMM_WORLD, 2);
}

Ranks::~Ranks() {
  if (running_) MPI_Finalize();
}

// MPI's default error handler ends all ranks, so results of its calls need no look.
void Ranks::send(int to, const std::string& text) {
  MPI_Send(text.data(), static_cast<int>(text.size()), MPI_BYTE, to, kTag, MPI_COMM_WORLD);
}

std::optional<Message> Ranks::poll() {
  if (!running_) return std::nullopt;
  int arrived = 0, size = 0;
  MPI_Status status;
  MPI_Iprobe(MPI_ANY_SOURCE, kTag, MPI_COMM_WORLD, &arrived, &status);
  if (arrived == 0) return std::nullopt;
  MPI_Get_count(&status, MPI_BYTE, &size);
  Message message{status.MPI_SOURCE, std::string(static_cast<std::size_t>(size), '\0')};
  MPI_Recv(message.text.data(), size, MPI_BYTE, message.from, kTag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  return message;
}

std::string mpi_library() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int size = 0;
  MPI_Get_library_version(text, &size);
  const std::string whole(text, static_cast<std::size_t>(size));
  return whole.substr(0, whole.find_first_of(",\n"));
}

#else

Ranks::Ranks() {
  if (launched() > 1) throw Error("started by mpirun, but built without MPI: install libopenmpi-dev and build again, or use --shard");
}
Ranks::~Ranks() = default;
void Ranks::send(int, const std::string&) {}
std::optional<Message> Ranks::poll() { return std::nullopt; }
std::string mpi_library() { return {}; }

#endif

}  // namespace equinorm::work

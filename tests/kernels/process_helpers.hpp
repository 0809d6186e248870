// Processes as kernels: a folder of links to the misbehaving program, and a small case.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/process_runner.hpp"

namespace equinorm::kernels::testing {

namespace fs = std::filesystem;

/// A folder of the test's own, as TMPDIR, with links to the misbehaving program by kind.
class Folder {
 public:
  Folder() {
    std::string pattern = (fs::temp_directory_path() / "equinorm-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
    fs::permissions(path_, fs::perms(0755));
    if (const char* before = std::getenv("TMPDIR")) before_ = before;
    setenv("TMPDIR", path_.c_str(), 1);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    if (before_.empty()) {
      unsetenv("TMPDIR");
    } else {
      setenv("TMPDIR", before_.c_str(), 1);
    }
    fs::remove_all(path_);
  }
  std::string kind(const std::string& name) const {
    const fs::path link = path_ / name;
    if (!fs::exists(link)) fs::create_symlink(fs::path(EQUINORM_TEST_FOLDER) / "kernels/bad_processes/misbehaving", link);
    return link;
  }
  /// Private folders of judges that are there now.
  int left() const {
    return static_cast<int>(std::count_if(fs::directory_iterator(path_), fs::directory_iterator(), [](const fs::directory_entry& entry) {
      return entry.path().filename().string().rfind("equinorm-process-", 0) == 0;
    }));
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  std::string before_;
};

inline Problem small_problem() {
  Problem problem;
  problem.batch = 2, problem.context = {5, 3}, problem.heads = problem.groups = 2;
  problem.latent = 8, problem.content_dim = problem.value_dim = 4, problem.rope_dim = 2;
  return problem;
}

inline Limits limits(double seconds, std::uint64_t memory = std::uint64_t{1} << 30) {
  return {.seconds = seconds, .memory = memory, .threads = 1};
}

inline Request request_for(const Runner& runner, const Problem& problem, const Limits& limits) {
  Request request;
  request.problem = &problem;
  request.limits = limits;
  for (const Passed& passed : passed_tensors(runner.declaration(), problem).inputs) {
    tensor::AnyTensor tensor(passed.dtype, passed.spec.shape);
    std::vector<double> values(static_cast<std::size_t>(tensor.size()), 0.25);
    if (passed.spec.name == "context_lengths") values = {5, 3};
    tensor.write(0, tensor.size(), values.data());
    request.inputs.emplace(passed.spec.name, tensor);
  }
  return request;
}

}  // namespace equinorm::kernels::testing

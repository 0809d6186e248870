#include "kernels/process_setup.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "scalar/error.hpp"

namespace equinorm::kernels {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// EQUINORM_PYTHON, else python3 of PATH.
std::string python() {
  const std::string given = variable("EQUINORM_PYTHON");
  if (!given.empty()) {
    if (!is_program(given)) throw Error(fmt::format("EQUINORM_PYTHON is {}; allowed: the path of a Python interpreter", given));
    return fs::absolute(given);
  }
  const std::string folders = variable("PATH");
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    const fs::path candidate = fs::path(folders.substr(begin, end - begin)) / "python3";
    if (candidate.is_absolute() && is_program(candidate)) return candidate;
    begin = end + 1;
  }
  throw Error("no python3 in PATH; EQUINORM_PYTHON names an interpreter");
}

std::string write_helper(const std::string& folder) {
  const fs::path place = fs::path(folder) / "python";
  fs::create_directory(place);
  fs::permissions(place,
                  fs::perms::owner_all | fs::perms::group_exec | fs::perms::group_read | fs::perms::others_exec | fs::perms::others_read);
  const fs::path file = place / "equinorm_kernel.py";
  std::ofstream out(file, std::ios::binary);
  out << python_helper();
  out.close();
  if (!out) throw Error(fmt::format("{}: cannot be written", file.string()));
  fs::permissions(file, fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
  return file;
}

}  // namespace

SpawnOptions process_setup(const std::string& path, const std::string& folder, const std::string& work, int threads) {
  SpawnOptions options;
  const fs::path kernel = fs::absolute(path);
  std::error_code error;
  if (!fs::is_regular_file(kernel, error)) throw Error(fmt::format("{}: no such file; a kernel's program is needed", path));
  const std::string helper = write_helper(folder);
  if (kernel.extension() == ".py") {
    options.arguments = {python(), "-u", helper, kernel.string()};
    options.must_read = {options.arguments[0], kernel.string()};
  } else if (is_program(kernel)) {
    options.arguments = {kernel.string()};
    options.must_read = {kernel.string()};
  } else {
    throw Error(fmt::format("{}: is neither executable nor a .py file", path));
  }
  const std::string search = variable("PYTHONPATH"), home = variable("HOME"), user_base = variable("PYTHONUSERBASE");
  options.environment = {{"EQUINORM_PROCESS", "1"},
                         {"HOME", work},
                         {"TMPDIR", work},
                         {"PYTHONPATH", fs::path(helper).parent_path().string() + (search.empty() ? "" : ":" + search)},
                         {"PYTHONDONTWRITEBYTECODE", "1"},
                         {"OMP_NUM_THREADS", std::to_string(threads)},
                         {"OPENBLAS_NUM_THREADS", std::to_string(threads)},
                         {"MKL_NUM_THREADS", std::to_string(threads)}};
  // HOME is not the user's, but packages that pip installed for the user are to be found.
  if (!user_base.empty() || !home.empty()) options.environment["PYTHONUSERBASE"] = user_base.empty() ? home + "/.local" : user_base;
  for (const char* name : {"VIRTUAL_ENV", "CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"}) {
    if (const std::string value = variable(name); !value.empty()) options.environment[name] = value;
  }
  options.working_directory = work;
  return options;
}

}  // namespace equinorm::kernels

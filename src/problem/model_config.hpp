// A model's config.json (Hugging Face) as a problem.
#pragma once

#include <string>
#include <string_view>

#include "problem/json.hpp"
#include "problem/problem.hpp"

namespace equinorm::problem {

/// Whether the text is a JSON object with a key "model_type" or "architectures".
bool looks_like_model_config(std::string_view json);
bool looks_like_model_config(const JsonValue& root);

/// The attention of one layer of the model: dims, norm, RoPE, mask and storage from the config, all else at its default (context 4096, one
/// query, start latent). MLA models without QK-norm get the paper's: `note` says so, and which kind of layer was taken where there are
/// several. Throws Error, on one line, for a model family whose norm is not known, missing keys, and settings that no problem can express.
Problem from_model_config(std::string_view json, std::string origin);
Problem from_model_config(const JsonValue& root, std::string origin);

/// Model families that from_model_config knows, as model_type words.
std::string known_model_types();

}  // namespace equinorm::problem

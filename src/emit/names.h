// The one place that makes C names from names of models and values. No name it gives is reserved (no underscore in
// front, no two in a row), a keyword, or equal to another but for upper and lower case: macros are made of the same
// words.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace fold8::emit {

// "x.a" -> "x_a": letters, digits and single underscores between them; "value" where nothing is left.
std::string identifier(std::string_view text);

// "digits" -> "DIGITS"
std::string upper(std::string_view text);

// Text for one line inside any comment of C or C++.
std::string comment_text(std::string_view text);

// Names that are not told apart by anything but what the text says.
class Names {
 public:
  // "k", "x.a" -> "k_x_a"; where that is taken, "k_x_a_2" and so on.
  std::string unique(std::string_view prefix, std::string_view text);

 private:
  std::set<std::string> taken_;  // upper case
};

// Why a model cannot have this name, which is the prefix of its files and symbols; empty if it can.
std::string name_objection(std::string_view name);

// A model's name from any text, such as a file's: "my-net.v2" -> "my_net_v2", "string" -> "model_string".
std::string model_name(std::string_view text);

}  // namespace fold8::emit

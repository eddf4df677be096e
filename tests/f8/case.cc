#include "case.h"

#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <sstream>

#include "base/files.h"

namespace fold8::f8 {
namespace {

struct Malformed {
  int line;
  std::string message;
};

struct Line {
  int number;
  std::string text;
};

constexpr const char* kSpace = " \t\r";

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(kSpace);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> list;
  for (std::string word; in >> word;) list.push_back(word);
  return list;
}

// "; run: [1] == [2]" -> {"run", "[1] == [2]"}. Anything else has an empty key.
std::pair<std::string, std::string> directive(const std::string& text) {
  if (!text.starts_with("; ")) return {};
  const size_t colon = text.find(':');
  const bool word = colon != std::string::npos &&
                    text.substr(2, colon - 2).find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
  if (!word) return {};
  return {text.substr(2, colon - 2), trimmed(text.substr(colon + 1))};
}

int64_t integer(const std::string& text, int line) {
  char* end = nullptr;
  const int64_t value = std::strtoll(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') throw Malformed{line, fmt::format("expected an integer, found '{}'", text)};
  return value;
}

// ---- parameters

using Values = std::map<std::string, std::string>;

struct Parameter {
  std::string name;
  std::vector<std::string> values;
};

// "I in 1..3 8" -> I: 1 2 3 8. Values may be any words.
Parameter parse_parameter(const Line& line, const std::string& text) {
  const std::vector<std::string> list = words(text);
  if (list.size() < 3 || list[1] != "in") throw Malformed{line.number, "expected '; for: NAME in values'"};
  Parameter parameter{list[0], {}};
  for (size_t i = 2; i < list.size(); ++i) {
    const size_t dots = list[i].find("..");
    if (dots == std::string::npos) {
      parameter.values.push_back(list[i]);
      continue;
    }
    const int64_t last = integer(list[i].substr(dots + 2), line.number);
    for (int64_t v = integer(list[i].substr(0, dots), line.number); v <= last; ++v)
      parameter.values.push_back(std::to_string(v));
  }
  return parameter;
}

std::string value_of(const std::string& name, const Values& values, int line) {
  const auto found = values.find(name);
  if (found == values.end()) throw Malformed{line, fmt::format("there is no parameter ${}", name)};
  return found->second;
}

int64_t factor_of(const std::string& word, const Values& values, int line) {
  const bool digit = !word.empty() && std::isdigit(static_cast<unsigned char>(word[0]));
  return integer(digit ? word : value_of(word, values, line), line);
}

// "I*4" -> the product; "O of 1 2 3" -> O words, the list over and over.
std::string computed(const std::string& text, const Values& values, int line) {
  const std::vector<std::string> list = words(text);
  if (list.size() > 2 && list[1] == "of") {
    std::vector<std::string> cycle;
    const auto count = static_cast<size_t>(factor_of(list[0], values, line));
    for (size_t i = 0; i < count; ++i) cycle.push_back(list[2 + i % (list.size() - 2)]);
    return fmt::format("{}", fmt::join(cycle, " "));
  }
  int64_t product = 1;
  std::istringstream in(text);
  for (std::string factor; std::getline(in, factor, '*');) product *= factor_of(trimmed(factor), values, line);
  return std::to_string(product);
}

std::string substituted(const Line& line, const Values& values) {
  std::string out;
  const std::string& text = line.text;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '$') {
      out += text[at++];
    } else if (text.substr(at, 2) == "$(") {
      const size_t close = text.find(')', at);
      if (close == std::string::npos) throw Malformed{line.number, "$( has no )"};
      out += computed(text.substr(at + 2, close - at - 2), values, line.number);
      at = close + 1;
    } else {
      size_t end = at + 1;
      while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end]))) ++end;
      out += value_of(text.substr(at + 1, end - at - 1), values, line.number);
      at = end;
    }
  }
  return out;
}

// ---- expectations

// "-2..2" -> those integers; anything else is one number.
void add_numbers(std::vector<double>& numbers, const std::string& word, int line) {
  const size_t dots = word.find("..");
  if (dots != std::string::npos) {
    const int64_t last = integer(word.substr(dots + 2), line);
    for (int64_t v = integer(word.substr(0, dots), line); v <= last; ++v) numbers.push_back(static_cast<double>(v));
    return;
  }
  char* end = nullptr;
  numbers.push_back(std::strtod(word.c_str(), &end));
  if (*end != '\0') throw Malformed{line, fmt::format("expected a number, found '{}'", word)};
}

Literal parse_list(std::istringstream& in, int line) {
  Literal literal;
  std::string text;
  std::getline(in, text, ']');
  if (in.eof()) throw Malformed{line, "a list has no ]"};
  for (const std::string& word : words(text)) add_numbers(literal.numbers, word, line);
  return literal;
}

Literal parse_seed(std::istringstream& in, int line) {
  std::string text;
  std::getline(in, text, ')');
  if (in.eof() || !text.starts_with("eed(")) throw Malformed{line, "expected seed(s) or seed(s,lo,hi)"};
  std::vector<int64_t> numbers;
  std::istringstream list(text.substr(4));
  for (std::string number; std::getline(list, number, ',');) numbers.push_back(integer(trimmed(number), line));
  if (numbers.size() != 1 && (numbers.size() != 3 || numbers[1] > numbers[2]))
    throw Malformed{line, "expected seed(s) or seed(s,lo,hi)"};
  Literal literal{{}, true, static_cast<uint64_t>(numbers[0])};
  if (numbers.size() == 3) {
    literal.lo = numbers[1];
    literal.hi = numbers[2];
  }
  return literal;
}

Run parse_run(const std::string& text, int line) {
  Run run{line, {}, {}, false};
  std::istringstream in(text);
  bool answers = false;
  for (char c = 0; in >> c;) {
    auto& literals = answers ? run.outputs : run.inputs;
    if (c == '[') {
      literals.push_back(parse_list(in, line));
    } else if (c == 's') {
      literals.push_back(parse_seed(in, line));
    } else if ((c == '=' || c == '~') && !answers && in.get() == '=') {
      answers = true;
      run.one_step_off = c == '~';
    } else {
      throw Malformed{line, fmt::format("expected [numbers], seed(s), == or ~=, found '{}'", c)};
    }
  }
  if (answers && run.outputs.empty()) throw Malformed{line, "expected what comes out"};
  return run;
}

void add_expectation(Case& test, const std::string& key, const std::string& text, int line) {
  if (key == "run") return test.runs.push_back(parse_run(text, line));
  if (key == "opt") {
    test.pass = text;
    return;
  }
  const std::map<std::string, std::vector<std::string>*> lists = {
      {"expect", &test.expects}, {"absent", &test.absents}, {"report", &test.reports}, {"error", &test.errors}};
  const auto found = lists.find(key);
  if (found == lists.end()) throw Malformed{line, fmt::format("there is no expectation '{}'", key)};
  found->second->push_back(text);
}

// ---- one case

void parse_header(Case& test, const Line& line) {
  const std::vector<std::string> list = words(directive(line.text).second);
  if (list.empty()) throw Malformed{line.number, "expected '; test: NAME'"};
  test.line = line.number;
  test.name = list[0];
  for (size_t i = 1; i < list.size(); ++i) {
    if (list[i] != "sweep" && list[i] != "float_ends")
      throw Malformed{line.number, fmt::format("there is no flag '{}'", list[i])};
    test.flags.insert(list[i]);
  }
}

// `lines`: from "; test:" to before the next.
Case parse_case(const std::filesystem::path& file, const std::vector<Line>& lines, const Values& values) {
  Case test;
  test.file = file;
  parse_header(test, lines[0]);
  for (const auto& [name, value] : values) test.name += fmt::format(" {}={}", name, value);
  bool inside = false;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::string text = substituted(lines[i], values);
    const auto [key, rest] = directive(text);
    if (test.program.empty() && text.starts_with("program")) {
      inside = true;
      test.program.assign(static_cast<size_t>(lines[i].number) - 1, '\n');
    }
    if (inside) {
      test.program += text + "\n";
      inside = text != "}";
    } else if (!test.program.empty() && !key.empty()) {
      add_expectation(test, key, rest, lines[i].number);
    } else if (!text.empty() && !text.starts_with(";")) {
      throw Malformed{lines[i].number, "expected a comment, an expectation or one program"};
    }
  }
  if (test.program.empty() || inside)
    throw Malformed{test.line, "a case has one program, from 'program' to a line of '}'"};
  return test;
}

void add_cases(const std::filesystem::path& file, const std::vector<Line>& lines, std::vector<Case>& cases) {
  std::vector<Values> combinations = {{}};
  for (const Line& line : lines) {
    const auto [key, text] = directive(line.text);
    if (key != "for") continue;
    const Parameter parameter = parse_parameter(line, text);
    std::vector<Values> longer;
    for (const Values& values : combinations)
      for (const std::string& value : parameter.values) {
        longer.push_back(values);
        longer.back()[parameter.name] = value;
      }
    combinations = std::move(longer);
  }
  for (const Values& values : combinations) cases.push_back(parse_case(file, lines, values));
}

}  // namespace

Result<std::vector<Case>> read_cases(const std::filesystem::path& file) {
  F8_TRY(const std::string text, read_file(file));
  std::vector<Case> cases;
  std::vector<Line> pending;
  std::istringstream in(text);
  try {
    int number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (directive(line).first == "test") {
        if (!pending.empty()) add_cases(file, pending, cases);
        pending.clear();
      }
      if (!pending.empty() || directive(line).first == "test") pending.push_back({number, line});
    }
    if (!pending.empty()) add_cases(file, pending, cases);
  } catch (const Malformed& malformed) {
    return error("F8-0201", fmt::format("line {}: {}", malformed.line, malformed.message)).in(file.string());
  }
  return cases;
}

}  // namespace fold8::f8

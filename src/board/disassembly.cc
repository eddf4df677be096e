#include "board/disassembly.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "board/process.h"

namespace fold8::board {
namespace {

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> starts) {
  return std::ranges::any_of(starts, [&](std::string_view start) { return text.starts_with(start); });
}

// "r3" -> 3, "sl" -> 10, "q2" -> 18, "d5" -> 18, "q2[1]" -> 18; -1 for what is no register.
int register_number(std::string_view name) {
  static constexpr std::string_view kNamed[] = {"sl", "fp", "ip", "sp", "lr", "pc"};
  for (int i = 0; i < 6; ++i)
    if (name.starts_with(kNamed[i])) return 10 + i;
  if (name.size() < 2 || name[1] < '0' || name[1] > '9') return -1;
  const int number = std::atoi(name.data() + 1);
  switch (name[0]) {
    case 'r': return number;
    case 'q': return kFirstVector + number % 8;
    case 'd': return kFirstVector + number / 2 % 8;
    case 's': return kFirstVector + number / 4 % 8;
    default: return -1;
  }
}

// "r0, [r1, #4], {r2-r5}" -> "r0", "[r1, #4]", "{r2-r5}"
std::vector<std::string> split_operands(const std::string& text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else if (c != ' ' || !parts.back().empty()) {
      parts.back() += c;
    }
  }
  return parts;
}

// Every register that the text names; a range in a list stands for all of it.
std::vector<int> registers_in(const std::string& text) {
  std::vector<int> found;
  std::string word;
  bool range = false;
  auto end_word = [&] {
    const int number = register_number(word);
    if (number >= 0 && range && !found.empty())
      while (found.back() < number) found.push_back(found.back() + 1);
    else if (number >= 0)
      found.push_back(number);
    word.clear();
  };
  for (const char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '#') {
      word += c;
    } else {
      end_word();
      range = c == '-';
    }
  }
  return found;
}

// How many registers "{r0, r2-r5}" lists; s and d registers one each.
int count_listed(const std::string& operands) {
  const size_t open = operands.find('{');
  if (open == std::string::npos) return 0;
  std::istringstream items(operands.substr(open + 1, operands.find('}') - open - 1));
  int count = 0;
  for (std::string item; std::getline(items, item, ',');) {
    const size_t first = item.find_first_not_of(' ');
    const size_t dash = item.find('-');
    if (first == std::string::npos) continue;
    auto number = [](const std::string& name) {
      return std::isdigit(static_cast<unsigned char>(name[1])) != 0 ? std::atoi(name.c_str() + 1)
                                                                    : register_number(name);
    };
    count += dash == std::string::npos ? 1 : number(item.substr(dash + 1)) - number(item.substr(first)) + 1;
  }
  return count;
}

bool is_store(std::string_view m) { return starts_with_any(m, {"str", "stm", "push", "vst", "vpush"}); }
bool is_load(std::string_view m) { return starts_with_any(m, {"ldr", "ldm", "pop", "vld", "vpop", "tb"}); }
bool writes_nothing(std::string_view m) {
  return is_store(m) || starts_with_any(m, {"cmp", "cmn", "tst", "teq", "cb", "it", "nop", "vcmp", "vpt", "vctp"}) ||
         (m.starts_with("b") && !starts_with_any(m, {"bic", "bf"}));
}
// Whose first two operands are results: 64-bit products, pairs of words.
bool writes_two(std::string_view m) {
  return starts_with_any(m, {"ldrd", "smull", "umull", "smlal", "umlal", "umaal", "smlsl", "asrl", "lsll", "lsrl"});
}
// That add to what their results hold.
bool adds_to_result(std::string_view m) {
  return starts_with_any(m, {"smlal", "umlal", "umaal", "smlsl", "vmlava", "vmladava", "vmlaldava", "vmla.", "vfma",
                             "vqrdmla", "vqdmla", "vaddva"});
}
// That add a product to their last operand.
bool adds_to_last(std::string_view m) {
  return starts_with_any(m, {"mla", "mls", "smlab", "smlat", "smlaw", "smlad", "smlsd", "smmla", "smmls"});
}
// Whose only operands are a result and one source.
bool copies(std::string_view m) {
  return starts_with_any(m, {"mov", "mvn", "sxt", "uxt", "rev", "clz", "rbit", "neg", "vmov", "vdup", "vmvn", "vneg",
                             "vrev", "vshll", "vmovl", "mrs", "vmrs", "adr", "cset"}) &&
         !m.starts_with("movt");
}

void append(std::vector<int>& to, const std::vector<int>& from) { to.insert(to.end(), from.begin(), from.end()); }

void find_registers(Instruction& i) {
  const std::vector<std::string> operands = split_operands(i.operands);
  const bool moves_two = i.mnemonic.starts_with("vmov") && operands.size() == 4;
  const size_t results = writes_nothing(i.mnemonic) ? 0 : writes_two(i.mnemonic) || moves_two ? 2 : 1;
  const bool block = starts_with_any(i.mnemonic, {"ldm", "stm"});  // its first operand is the base
  for (size_t o = 0; o < operands.size(); ++o) {
    const std::vector<int> named = registers_in(operands[o]);
    const bool is_address = operands[o].starts_with("[") || (block && o == 0);
    if (is_address) {
      append(i.addresses, named);
    } else if (o < results || (is_load(i.mnemonic) && operands[o].starts_with("{"))) {
      append(i.writes, named);
    } else if (o + 1 == operands.size() && adds_to_last(i.mnemonic)) {
      append(i.accumulators, named);
    } else {
      append(i.reads, named);
    }
  }
  if (adds_to_result(i.mnemonic)) append(i.accumulators, i.writes);
  const bool changes_first = operands.size() == 2 && results == 1 && !is_load(i.mnemonic) && !copies(i.mnemonic);
  if (changes_first && i.accumulators.empty()) append(i.reads, i.writes);  // "adds r0, #1"
}

}  // namespace

std::optional<Instruction> parse_instruction(const std::string& line) {
  std::istringstream fields(line);
  std::string address, code, mnemonic, operands;
  if (!std::getline(fields, address, '\t') || !std::getline(fields, code, '\t') ||
      !std::getline(fields, mnemonic, '\t') || !address.ends_with(":"))
    return std::nullopt;
  std::getline(fields, operands, '\t');  // what follows a further tab is objdump's comment
  Instruction i;
  i.address = static_cast<uint32_t>(std::stoul(address, nullptr, 16));
  std::erase(code, ' ');
  i.bytes = static_cast<int>(code.size() / 2);
  if (mnemonic.ends_with(".w") || mnemonic.ends_with(".n")) mnemonic.resize(mnemonic.size() - 2);
  i.mnemonic = mnemonic;
  i.operands = operands.substr(0, operands.find_first_of("<;@"));
  i.listed = count_listed(i.operands);
  find_registers(i);
  return i;
}

Result<std::vector<Instruction>> disassemble(const std::filesystem::path& image, const std::string& machine) {
  std::vector<std::string> arguments = {"arm-none-eabi-objdump", "-d", "-z", image.string()};
  if (!machine.empty()) arguments.insert(arguments.end(), {"-m", machine});
  constexpr int64_t kSeconds = 60;
  std::string text;
  auto keep = [&](std::string_view part) { text += part; };
  F8_TRY(const Finished finished, run_process(arguments, image.parent_path(), kSeconds, keep));
  if (finished.timed_out) return error("F8-0611", fmt::format("{}: no end after {} s", arguments[0], kSeconds));
  if (finished.exit_code != 0)
    return error("F8-0611", fmt::format("arm-none-eabi-objdump ended with exit code {}", finished.exit_code));
  std::vector<Instruction> instructions;
  std::istringstream lines(text);
  std::string function;
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with(">:")) function = line.substr(line.find('<') + 1, line.size() - line.find('<') - 3);
    if (auto instruction = parse_instruction(line)) {
      instruction->function = function;
      instructions.push_back(std::move(*instruction));
    }
  }
  if (instructions.empty()) return idle(arguments[0], "list the image's instructions");
  std::ranges::sort(instructions, {}, &Instruction::address);
  return instructions;
}

}  // namespace fold8::board

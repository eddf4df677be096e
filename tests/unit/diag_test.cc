// How diagnostics read: one alone, and many of a kind.
#include "base/diag.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fold8 {
namespace {

Place place(const std::string& node, int line = 0) {
  Place p;
  if (line > 0) p.source_file = "net.py";
  p.source_line = line;
  p.source_text = line > 0 ? "y = f(x)" : "";
  p.module_path = "Net.forward";
  p.node = node;
  return p;
}

Diag unsupported(const std::string& op, Place at) {
  return error("F8-0115", op + " is not supported").in("net.pt2").at(std::move(at)).note("write it otherwise");
}

TEST(Diag, OneAloneHasItsSourceLine) {
  const std::string text =
      "net.py:7: error[F8-0115]: gelu is not supported\n"
      "    y = f(x)\n"
      "  in net.pt2, Net.forward, fx node gelu\n"
      "  note: write it otherwise\n";
  EXPECT_EQ(format(unsupported("gelu", place("gelu", 7))), text);
  EXPECT_EQ(format(Diags{unsupported("gelu", place("gelu", 7))}), text);
}

TEST(Diag, EqualOnesAreCountedAndTheFirstPlacesNamed) {
  Diags diags;
  for (int i = 0; i < 6; ++i) diags.push_back(unsupported("gelu", place(fmt::format("gelu_{}", i), i)));
  EXPECT_EQ(format(diags),
            "net.pt2: error[F8-0115]: gelu is not supported (6 places)\n"
            "  in Net.forward, fx node gelu_0\n"
            "  in net.py:1, Net.forward, fx node gelu_1\n"
            "  in net.py:2, Net.forward, fx node gelu_2\n"
            "  in net.py:3, Net.forward, fx node gelu_3\n"
            "  and 2 more\n"
            "  note: write it otherwise\n");
}

TEST(Diag, NotesThatSeveralShareAreSaidOnce) {
  const Diags diags = {unsupported("gelu", place("a")), error("F8-0109", "a dimension without a size").in("net.pt2"),
                       unsupported("silu", place("b")), unsupported("gelu", place("c"))};
  EXPECT_EQ(format(diags),
            "net.pt2: error[F8-0115]: gelu is not supported (2 places)\n"
            "  in Net.forward, fx node a\n"
            "  in Net.forward, fx node c\n"
            "net.pt2: error[F8-0115]: silu is not supported\n"
            "  in Net.forward, fx node b\n"
            "  note: write it otherwise\n"
            "net.pt2: error[F8-0109]: a dimension without a size\n");
}

TEST(Diag, SeverityAndNotesKeepThemApart) {
  const Diags diags = {error("F8-0001", "m").note("a"), error("F8-0001", "m").note("b"), warning("F8-0001", "m")};
  EXPECT_EQ(format(diags),
            "error[F8-0001]: m\n  note: a\n"
            "error[F8-0001]: m\n  note: b\n"
            "warning[F8-0001]: m\n");
}

TEST(Diag, ManyKindsNameOnePlaceEach) {
  Diags diags;
  for (const char* op : {"a", "b", "c", "d", "a", "b"}) diags.push_back(unsupported(op, place(op)));
  EXPECT_EQ(format(diags).substr(0, format(diags).find("error[F8-0115]: b")),
            "net.pt2: error[F8-0115]: a is not supported (2 places)\n"
            "  in Net.forward, fx node a\n"
            "  and 1 more\n"
            "net.pt2: ");
}

}  // namespace
}  // namespace fold8

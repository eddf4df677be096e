// Arguments of a call: from the archive's unions, or from the default that an import row states.
#pragma once

#include <functional>
#include <string>

#include "ir/import.h"
#include "pt2/json.h"
#include "pt2/symbols.h"

namespace fold8::pt2 {

struct ArgContext {
  const Symbols& symbols;
  const Json* sym_int_values;                                       // of the graph; null if absent
  std::function<Result<ir::ValueId>(const std::string&)> value_of;  // the value a name of the graph stands for
};

// `value` is an Argument: {"as_int": 3}, {"as_tensor": {"name": "x"}}, ...
Result<ir::Arg> to_arg(const Json& value, const std::string& what, const ArgContext& context);

// The default of a parameter that the exporter left out.
ir::Arg default_arg(const ir::Param& param);

}  // namespace fold8::pt2

#include "driver/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "driver/npy.h"
#include "ir/text.h"
#include "ops/ops.h"
#include "quant/rescale.h"

namespace fold8::driver {
namespace {

using namespace ir;

// The file for each input, in the order of the inputs.
Result<std::vector<std::string>> assign(const Program& p, const std::vector<std::string>& specs) {
  std::vector<std::string> files(p.inputs.size());
  size_t next = 0;
  for (const std::string& spec : specs) {
    size_t index = p.inputs.size();
    const size_t equals = spec.find('=');
    for (size_t i = 0; equals != std::string::npos && i < p.inputs.size(); ++i)
      if (p[p.inputs[i]].name == spec.substr(0, equals)) index = i;
    const bool named = index < p.inputs.size();
    while (!named && next < files.size() && !files[next].empty()) ++next;
    if (!named) index = next;
    if (index >= files.size())
      return error("F8-0402", fmt::format("'{}' is one --input too many: the model has {}", spec, p.inputs.size()))
          .in(p.file);
    if (!files[index].empty())
      return error("F8-0402", fmt::format("input {} is given twice", p[p.inputs[index]].name)).in(p.file);
    files[index] = named ? spec.substr(equals + 1) : spec;
  }
  for (size_t i = 0; i < files.size(); ++i)
    if (files[i].empty())
      return error("F8-0402",
                   fmt::format("input {} is not given: --input {}=x.npy", p[p.inputs[i]].name, p[p.inputs[i]].name))
          .in(p.file);
  return files;
}

bool tail_equals(const Shape& longer, size_t from, const Shape& tail) {
  return std::equal(longer.begin() + static_cast<ptrdiff_t>(from), longer.end(), tail.begin(), tail.end());
}

struct Stack {
  int64_t count = 1;
  bool stacked = false, batched = false;
};

std::optional<Stack> stack_of(const Shape& array, const Shape& input) {
  if (array == input) return Stack{};
  if (array.size() == input.size() + 1 && tail_equals(array, 1, input)) return Stack{array[0], true, false};
  const bool batch_of_one = !input.empty() && input[0] == 1 && array.size() == input.size();
  if (batch_of_one && tail_equals(array, 1, Shape(input.begin() + 1, input.end()))) return Stack{array[0], false, true};
  return std::nullopt;
}

// The shape the model was exported with; `value.type` has the caller's order.
Shape exported_shape(const Value& value) {
  Shape shape = value.type.shape;
  for (size_t i = 0; i < value.order.size(); ++i) shape[static_cast<size_t>(value.order[i])] = value.type.shape[i];
  return shape;
}

// The dimensions of `tensor` in the caller's order.
Tensor reordered(const Tensor& tensor, const Value& value) {
  if (value.order.empty()) return tensor;
  Tensor result(tensor.elem, value.type.shape);
  const auto width = static_cast<int64_t>(elem_bytes(tensor.elem));
  std::vector<int64_t> stride(tensor.shape.size(), width);
  for (size_t i = stride.size() - 1; i-- > 0;) stride[i] = stride[i + 1] * tensor.shape[i + 1];
  for (int64_t flat = 0; flat < value.type.elems(); ++flat) {
    int64_t from = 0;
    int64_t rest = flat;
    for (size_t i = value.order.size(); i-- > 0;) {
      from += rest % value.type.shape[i] * stride[static_cast<size_t>(value.order[i])];
      rest /= value.type.shape[i];
    }
    std::copy_n(tensor.bytes.begin() + from, width, result.bytes.begin() + flat * width);
  }
  return result;
}

Tensor sample_of(const Tensor& array, int64_t index, const Value& value) {
  const Type& type = value.type;
  Tensor sample(array.elem, exported_shape(value));
  std::copy_n(array.bytes.begin() + static_cast<ptrdiff_t>(index) * static_cast<ptrdiff_t>(sample.bytes.size()),
              sample.bytes.size(), sample.bytes.begin());
  sample = reordered(sample, value);
  if (array.elem == type.elem) return sample;
  Tensor quantized(Elem::i8, type.shape);
  const auto x = sample.as<float>();
  for (size_t i = 0; i < x.size(); ++i)
    quantized.as<int8_t>()[i] = quant::quantize(x[i], type.quant->scale(), type.quant->zero);
  return quantized;
}

// What the float values of `input` are quantized with, by the caller or by the model; null if by nobody.
const Quant* quant_of(const Program& p, ValueId input) {
  if (p.type(input).quant) return &*p.type(input).quant;
  for (const Node& node : p.nodes)
    if (node.op == ops::core().quantize && node.inputs[0] == input) return &*p.type(node.outputs[0]).quant;
  return nullptr;
}

// How many values are lost to int8: an array that was not scaled as in training shows here.
void report_losses(const Program& p, ValueId input, const Tensor& array, const std::string& file, Diags& reports) {
  const Quant* quant = quant_of(p, input);
  if (array.elem != Elem::f32 || quant == nullptr) return;
  const double lo = (-128.5 - quant->zero) * quant->scale();
  const double hi = (127.5 - quant->zero) * quant->scale();
  const auto values = array.as<float>();
  const auto nans = std::ranges::count_if(values, [](float x) { return std::isnan(x); });
  const auto beyond = std::ranges::count_if(values, [&](float x) { return x < lo || x > hi; });
  if (nans > 0)
    reports.push_back(
        warning("F8-0407", fmt::format("input {}: {} of {} values are NaN", p[input].name, nans, values.size()))
            .in(file));
  if (beyond > 0)
    reports.push_back(
        warning("F8-0407", fmt::format("input {}: {} of {} values lie outside {:.4g} to {:.4g} and saturate",
                                       p[input].name, beyond, values.size(), lo, hi))
            .in(file)
            .note("a few may be meant; of many, scale the array as the calibration inputs were"));
}

}  // namespace

Result<Samples> read_samples(const Program& p, const std::vector<std::string>& specs) {
  F8_TRY(const std::vector<std::string> files, assign(p, specs));
  Samples samples;
  for (size_t i = 0; i < files.size(); ++i) {
    const Value& input = p[p.inputs[i]];
    F8_TRY(const Tensor array, read_npy(files[i]));
    if (array.elem != input.type.elem && !(array.elem == Elem::f32 && input.type.is_q8()))
      return error("F8-0402", fmt::format("holds {}, and input {} is {}", elem_name(array.elem), input.name,
                                          elem_name(input.type.elem)))
          .in(files[i]);
    const Shape exported = exported_shape(input);
    const auto stack = stack_of(array.shape, exported);
    if (!stack)
      return error("F8-0402", fmt::format("has shape {}, and input {} has shape {}", shape_text(array.shape),
                                          input.name, shape_text(exported)))
          .in(files[i])
          .note(fmt::format("many samples have one more leading axis: [N,{}]", fmt::join(exported, ",")));
    if (i > 0 && static_cast<size_t>(stack->count) != samples.inputs.size())
      return error("F8-0402",
                   fmt::format("holds {} samples, the input before it {}", stack->count, samples.inputs.size()))
          .in(files[i]);
    report_losses(p, p.inputs[i], array, files[i], samples.reports);
    samples.inputs.resize(static_cast<size_t>(stack->count));
    samples.stacked = stack->stacked;
    samples.batched = stack->batched;
    for (int64_t s = 0; s < stack->count; ++s)
      samples.inputs[static_cast<size_t>(s)].push_back(sample_of(array, s, input));
  }
  return samples;
}

Samples make_samples(const Program& p, int64_t count) {
  Samples samples;
  samples.stacked = true;
  for (int64_t s = 0; s < count + 3; ++s) {
    std::vector<Tensor> inputs;
    for (size_t i = 0; i < p.inputs.size(); ++i) {
      const Type& type = p.type(p.inputs[i]);
      Tensor sample(type.elem, type.shape);
      const int64_t zero = type.quant ? type.quant->zero : 0;
      const int64_t constants[] = {-128, 127, zero};
      for (size_t k = 0; k < static_cast<size_t>(type.elems()); ++k) {
        const int64_t q = s < count ? seeded(static_cast<uint64_t>(s) * 64 + i, k, -128, 127) : constants[s - count];
        if (type.elem == Elem::f32) {
          sample.as<float>()[k] = static_cast<float>(q) / 32.0f;
        } else {
          sample.as<int8_t>()[k] = static_cast<int8_t>(q);
        }
      }
      inputs.push_back(std::move(sample));
    }
    samples.inputs.push_back(std::move(inputs));
  }
  return samples;
}

Tensor join_outputs(const std::vector<Tensor>& outputs, const Samples& samples) {
  require(!outputs.empty(), "there is at least one sample");
  Shape shape = outputs[0].shape;
  const auto count = static_cast<int64_t>(outputs.size());
  if (samples.batched && !shape.empty() && shape[0] == 1) {
    shape[0] = count;
  } else if (samples.stacked || samples.batched) {
    shape.insert(shape.begin(), count);
  }
  Tensor joined(outputs[0].elem, shape);
  auto to = joined.bytes.begin();
  for (const Tensor& output : outputs) to = std::copy(output.bytes.begin(), output.bytes.end(), to);
  return joined;
}

}  // namespace fold8::driver

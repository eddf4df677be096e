// The .pt2 reader on archives built here, piece by piece wrong, and on real exports.
// Real ones: tests/data/pt2 beside this file, and the folder that FOLD8_MODELS names (skipped when there is none).
// The ops are fakes: the reader must need nothing of an op but its import rows and infer().
#include "pt2/pt2.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zip.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "ir/unread.h"
#include "ops/ops.h"
#include "source_dir.h"

namespace fold8 {
namespace {

using ir::ImportCall;
using ir::ImportRow;
using ir::Node;
using ir::OpDef;
using ir::Param;
using ir::Program;
using ir::Type;
using ir::ValueId;
using nlohmann::json;
using Types = Result<std::vector<Type>>;

// ---- Fake ops ----------------------------------------------------------------------------------------------------

std::map<std::string, ir::Arg, std::less<>> probed_args;  // what the last torch.ops.fake.probe was called with

const Type& in_type(const Program& p, const Node& n, size_t i = 0) { return p.type(n.inputs[i]); }

Types same_type(const Program& p, const Node& n) { return std::vector<Type>{in_type(p, n)}; }

Types quantized(const Program& p, const Node& n) {
  const ir::Elem elem = n.attrs.integer("dtype") == 2 ? ir::Elem::i8 : ir::Elem::i32;
  return std::vector<Type>{Type{elem, in_type(p, n).shape, {}}};
}

Types dequantized(const Program& p, const Node& n) { return std::vector<Type>{ir::f32(in_type(p, n).shape)}; }

Types linear_type(const Program& p, const Node& n) {
  ir::Shape shape = in_type(p, n).shape;
  if (shape.empty() || in_type(p, n, 1).shape.size() != 2) return error("F8-9901", "fake linear wants matrices");
  shape.back() = in_type(p, n, 1).shape[0];
  return std::vector<Type>{ir::f32(shape)};
}

Types view_type(const Program& p, const Node& n) {
  return std::vector<Type>{Type{in_type(p, n).elem, n.attrs.integers("size"), {}}};
}

Types chunk_types(const Program& p, const Node& n) {
  Type part = in_type(p, n);
  if (part.shape.empty()) return error("F8-9902", "fake chunk wants a last dimension");
  const int64_t chunks = n.attrs.integer("chunks");
  part.shape.back() /= chunks;
  return std::vector<Type>(static_cast<size_t>(chunks), part);
}

constexpr OpDef kIdentity = {.name = "identity", .infer = same_type};
constexpr OpDef kQuantize = {.name = "quantize", .infer = quantized};
constexpr OpDef kDequantize = {.name = "dequantize", .infer = dequantized};
constexpr OpDef kLinear = {.name = "linear", .infer = linear_type};
constexpr OpDef kView = {.name = "view", .quant = {.result = ir::Parameters::moved}, .infer = view_type};
constexpr OpDef kChunk = {.name = "chunk", .quant = {.result = ir::Parameters::moved}, .infer = chunk_types};

Result<> emit_unary(ImportCall& call, const OpDef& op, const char* arg, ir::Attrs attrs = {}) {
  F8_TRY(const ValueId x, call.tensor(arg));
  F8_CHECK(call.emit(op, {x}, std::move(attrs)));
  return ok;
}

Result<> import_quantize(ImportCall& call) {
  ir::Attrs attrs;
  F8_TRY(const double scale, call.number("scale"));
  F8_TRY(const int64_t dtype, call.integer("dtype"));
  attrs.set("scale", scale);
  attrs.set("dtype", dtype);
  return emit_unary(call, kQuantize, "input", std::move(attrs));
}
Result<> import_dequantize(ImportCall& call) { return emit_unary(call, kDequantize, "input"); }
Result<> import_relu(ImportCall& call) { return emit_unary(call, kIdentity, "self"); }
Result<> import_chunk(ImportCall& call) {
  F8_TRY(const int64_t chunks, call.integer("chunks"));
  if (chunks < 1 || chunks > 100) return call.fail("F8-9903", "fake chunk wants a few chunks");
  ir::Attrs attrs;
  attrs.set("chunks", chunks);
  return emit_unary(call, kChunk, "self", std::move(attrs));
}
Result<> import_view(ImportCall& call) {
  ir::Attrs attrs;
  F8_TRY(auto size, call.integers("size"));
  attrs.set("size", std::move(size));
  return emit_unary(call, kView, "self", std::move(attrs));
}
Result<> import_no_op(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("self"));
  call.results.push_back(x);
  return ok;
}
Result<> import_probe(ImportCall& call) {
  probed_args = call.args;
  return emit_unary(call, kIdentity, "self");
}
Result<> import_linear(ImportCall& call) {
  F8_TRY(const ValueId x, call.tensor("input"));
  F8_TRY(const ValueId w, call.tensor("weight"));
  F8_TRY(const ValueId b, call.optional_tensor("bias"));
  F8_CHECK(call.emit(kLinear, {x, w, b}, {}));
  return ok;
}

constexpr Param kQuantizeParams[] = {{"input"}, {"scale"}, {"zero_point"}, {"quant_min"}, {"quant_max"}, {"dtype"}};
constexpr Param kDequantizeParams[] = {{"input"},     {"scale"}, {"zero_point"},       {"quant_min"},
                                       {"quant_max"}, {"dtype"}, {"out_dtype", "null"}};
constexpr Param kPerChannelParams[] = {{"input"},     {"scales"},    {"zero_points"}, {"axis"},
                                       {"quant_min"}, {"quant_max"}, {"dtype"},       {"out_dtype", "null"}};
constexpr Param kLinearParams[] = {{"input"}, {"weight"}, {"bias", "null"}};
constexpr Param kSelfParams[] = {{"self"}};
constexpr Param kViewParams[] = {{"self"}, {"size"}};
constexpr Param kChunkParams[] = {{"self"}, {"chunks"}, {"dim", "0"}};
constexpr Param kProbeParams[] = {{"self"},
                                  {"a", "null"},
                                  {"d_int", "7"},
                                  {"d_float", "1e-05"},
                                  {"d_bool", "true"},
                                  {"d_ints", "[1,2]"},
                                  {"d_empty", "[]"},
                                  {"d_floats", "[0.5,1]"},
                                  {"d_text", "\"mean\""}};

constexpr ImportRow kQuantizeRows[] = {
    {"torch.ops.quantized_decomposed.quantize_per_tensor.default", kQuantizeParams, import_quantize}};
constexpr ImportRow kDequantizeRows[] = {
    {"torch.ops.quantized_decomposed.dequantize_per_tensor.default", kDequantizeParams, import_dequantize},
    {"torch.ops.quantized_decomposed.dequantize_per_channel.default", kPerChannelParams, import_dequantize}};
constexpr ImportRow kLinearRows[] = {{"torch.ops.aten.linear.default", kLinearParams, import_linear}};
constexpr ImportRow kIdentityRows[] = {{"torch.ops.aten.relu.default", kSelfParams, import_relu},
                                       {"torch.ops.aten.relu_.default", kSelfParams, import_relu},
                                       {"torch.ops.aten.detach_.default", kSelfParams, import_no_op},
                                       {"torch.ops.fake.probe.default", kProbeParams, import_probe}};
constexpr ImportRow kViewRows[] = {{"torch.ops.aten.view.default", kViewParams, import_view},
                                   {"torch.ops.aten.view_.default", kViewParams, import_view}};
constexpr ImportRow kChunkRows[] = {{"torch.ops.aten.chunk.default", kChunkParams, import_chunk}};

OpDef with_rows(OpDef op, std::span<const ImportRow> rows) {
  op.imports = rows;
  return op;
}

ir::OpTable fake_ops() {
  static const OpDef kDefs[] = {with_rows(kQuantize, kQuantizeRows), with_rows(kDequantize, kDequantizeRows),
                                with_rows(kLinear, kLinearRows),     with_rows(kIdentity, kIdentityRows),
                                with_rows(kView, kViewRows),         with_rows(kChunk, kChunkRows)};
  static const OpDef* const kTable[] = {&kDefs[0], &kDefs[1], &kDefs[2], &kDefs[3], &kDefs[4], &kDefs[5]};
  return kTable;
}

// ---- Building archives -------------------------------------------------------------------------------------------

json of(const char* kind, const json& value) {
  json out = json::object();
  out[kind] = value;
  return out;
}
json named(const std::string& name) { return of("name", name); }
json as_int(int64_t v) { return of("as_int", v); }
json as_tensor(const std::string& name) { return of("as_tensor", named(name)); }

json symbolic(const std::string& expression) { return of("as_expr", of("expr_str", expression)); }

json sizes_of(const std::vector<int64_t>& values) {
  json out = json::array();
  for (int64_t v : values) out.push_back(as_int(v));
  return out;
}

json meta(int dtype, const std::vector<int64_t>& sizes, std::vector<int64_t> strides = {}, int64_t offset = 0) {
  if (strides.empty()) {
    strides.assign(sizes.size(), 1);
    for (size_t d = sizes.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<int64_t>(sizes[d], 1);
  }
  json out = R"({"requires_grad": false, "device": {"type": "cpu", "index": null}, "layout": 7})"_json;
  out["dtype"] = dtype;
  out["sizes"] = sizes_of(sizes);
  out["strides"] = sizes_of(strides);
  out["storage_offset"] = as_int(offset);
  return out;
}

using Args = std::vector<std::pair<std::string, json>>;

// A node of one result that has the node's own name, unless `outputs` says otherwise.
json node(const std::string& target, const std::string& name, const Args& inputs, const json& outputs = nullptr) {
  json out = R"({"inputs": [], "metadata": {}})"_json;
  out["target"] = target;
  out["name"] = name;
  out["outputs"] = outputs;
  if (outputs.is_null()) out["outputs"] = json::array({as_tensor(name)});
  for (const auto& [key, arg] : inputs) {
    json input = R"({"kind": 1})"_json;
    input["name"] = key;
    input["arg"] = arg;
    out["inputs"].push_back(std::move(input));
  }
  return out;
}

json quantize(const std::string& name, const std::string& input, bool back = false) {
  return node(fmt::format("torch.ops.quantized_decomposed.{}quantize_per_tensor.default", back ? "de" : ""), name,
              {{"input", as_tensor(input)},
               {"scale", of("as_float", 0.5)},
               {"zero_point", as_int(0)},
               {"quant_min", as_int(-128)},
               {"quant_max", as_int(127)},
               {"dtype", of("as_scalar_type", 2)}});
}
json relu(const std::string& name, const std::string& input) {
  return node("torch.ops.aten.relu.default", name, {{"self", as_tensor(input)}});
}
json relu_(const std::string& name, const std::string& input) {
  return node("torch.ops.aten.relu_.default", name, {{"self", as_tensor(input)}});
}
json payload(const std::string& path, const json& tensor_meta) {
  json out = R"({"is_param": false, "use_pickle": false})"_json;
  out["path_name"] = path;
  out["tensor_meta"] = tensor_meta;
  return out;
}

// An input spec: a parameter, buffer or constant that the state_dict calls `stored` and the graph `name`.
json stored_input(const std::string& kind, const std::string& name, const std::string& stored, bool persistent = true) {
  json spec = json::object();
  spec["arg"] = named(name);
  spec[kind + "_name"] = stored;
  if (kind == "buffer") spec["persistent"] = persistent;
  return of(kind.c_str(), spec);
}

// relu(linear(x, dq(fc.weight))), plus a parameter that nothing reads.
struct Sample {
  json model = base_model();
  json weights = base_weights();
  json constants = R"({"config": {}})"_json;
  std::map<std::string, std::string> files = {{"data/weights/weight_0", "abcdefghijkl"}};
  std::vector<std::string> left_out;
  std::string root = "sample/";
  bool deflate = false;

  static json base_weights() {
    json w;
    w["config"]["fc.weight"] = payload("weight_0", meta(2, {3, 4}));
    w["config"]["fc.dead"] = payload("weight_1", meta(6, {3}));  // float16: would be refused if it were read
    return w;
  }

  static json base_model() {
    json m =
        R"({"schema_version": {"major": 8, "minor": 20}, "torch_version": "2.13.0", "range_constraints": {}})"_json;
    json& g = m["graph_module"]["graph"];
    g["nodes"] = json::array();
    g["nodes"].push_back(quantize("w", "b_fc_weight", true));
    g["nodes"].push_back(
        node("torch.ops.aten.linear.default", "linear", {{"input", as_tensor("x")}, {"weight", as_tensor("w")}}));
    g["nodes"].push_back(relu("relu", "linear"));
    json& values = g["tensor_values"];
    values["x"] = meta(7, {1, 4});
    values["b_fc_weight"] = meta(2, {3, 4});
    values["w"] = meta(7, {3, 4});
    values["linear"] = values["relu"] = meta(7, {1, 3});
    values["p_dead"] = meta(6, {3});
    g["sym_int_values"] = json::object();
    json& signature = m["graph_module"]["signature"];
    signature["input_specs"].push_back(stored_input("parameter", "p_dead", "fc.dead"));
    signature["input_specs"].push_back(stored_input("buffer", "b_fc_weight", "fc.weight"));
    signature["input_specs"].push_back(of("user_input", of("arg", as_tensor("x"))));
    signature["output_specs"].push_back(of("user_output", of("arg", as_tensor("relu"))));
    return m;
  }

  json& graph() { return model["graph_module"]["graph"]; }
  json& nodes() { return graph()["nodes"]; }
  json& values() { return graph()["tensor_values"]; }
  json& inputs() { return model["graph_module"]["signature"]["input_specs"]; }
  json& outputs() { return model["graph_module"]["signature"]["output_specs"]; }

  // The program becomes `nodes` alone, over x: f32[1,4]; every node yields f32[1,4] and the last is the output.
  Sample& only(const std::vector<json>& new_nodes) {
    nodes() = new_nodes;
    for (const json& n : new_nodes)
      if (!values().contains(n["name"])) values()[n["name"].get<std::string>()] = meta(7, {1, 4});
    outputs()[0]["user_output"]["arg"] = as_tensor(new_nodes.back()["name"].get<std::string>());
    return *this;
  }

  std::map<std::string, std::string> entries() const {
    std::map<std::string, std::string> all;
    for (const auto& [name, bytes] : files) all[root + name] = bytes;
    all[root + "models/model.json"] = model.dump();
    all[root + "data/weights/model_weights_config.json"] = weights.dump();
    all[root + "data/constants/model_constants_config.json"] = constants.dump();
    for (const std::string& name : left_out) all.erase(root + name);
    return all;
  }
};

std::string zip_bytes(const std::map<std::string, std::string>& entries, bool deflate = false) {
  TempFolder folder = *TempFolder::make();
  const std::string path = (folder.path() / "built.zip").string();
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  for (const auto& [name, bytes] : entries) {
    zip_source_t* source = zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
    const auto index = zip_file_add(archive, name.c_str(), source, ZIP_FL_OVERWRITE);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
  }
  EXPECT_EQ(zip_close(archive), 0);
  auto written = read_file(path);
  return written ? *written : "";
}

Result<Program> read_bytes(const std::string& bytes, const pt2::Options& options = {}, ir::OpTable ops = fake_ops()) {
  TempFolder folder = *TempFolder::make();
  const auto path = folder.path() / "net.pt2";
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return pt2::read(path, ops, options);
}

Result<Program> read_sample(const Sample& sample, const pt2::Options& options = {}) {
  return read_bytes(zip_bytes(sample.entries(), sample.deflate), options);
}

// The text of every diagnostic; the first must have `code` and all together must hold `text`.
void expect_error(const Result<Program>& result, const std::string& code, const std::string& text) {
  ASSERT_FALSE(result) << "expected " << code << ": " << text;
  const Diag& first = result.errors().front();
  EXPECT_EQ(first.code, code) << format(result.errors());
  EXPECT_TRUE(first.file.ends_with("net.pt2")) << "file: " << first.file;
  EXPECT_NE(format(result.errors()).find(text), std::string::npos) << format(result.errors());
  for (const Diag& diag : result.errors()) {
    EXPECT_FALSE(diag.message.ends_with('.')) << diag.message;
    EXPECT_EQ(diag.severity, Severity::error);
  }
}

void expect_error(const Sample& sample, const std::string& code, const std::string& text,
                  const pt2::Options& options = {}) {
  expect_error(read_sample(sample, options), code, text);
}

#define EXPECT_READS(result) ASSERT_TRUE(result) << format((result).errors())

std::vector<int8_t> bytes_of(const Program& program, const char* name) {
  const ValueId id = program.find(name);
  if (id == ValueId::none || !program[id].is_constant()) return {};
  const auto data = program[id].constant->as<int8_t>();
  return {data.begin(), data.end()};
}

// ---- What reads --------------------------------------------------------------------------------------------------

TEST(Pt2, ReadsTheSample) {
  const auto program = read_sample(Sample{});
  EXPECT_READS(program);
  EXPECT_EQ(program->form, ir::Form::torch);
  EXPECT_EQ(program->name, "net");
  ASSERT_EQ(program->nodes.size(), 3U);
  EXPECT_EQ(program->nodes[1].name, "linear");
  ASSERT_EQ(program->inputs.size(), 1U);
  EXPECT_EQ((*program)[program->inputs[0]].name, "x");
  EXPECT_EQ(program->type(program->inputs[0]), ir::f32({1, 4}));
  ASSERT_EQ(program->outputs.size(), 1U);
  EXPECT_EQ((*program)[program->outputs[0]].name, "relu");
  EXPECT_EQ(bytes_of(*program, "fc.weight"),
            (std::vector<int8_t>{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l'}));
  EXPECT_EQ(program->find("fc.dead"), ValueId::none);
}

TEST(Pt2, ReadsDeflatedEntriesAndOtherRoots) {
  Sample sample;
  sample.deflate = true;
  sample.root = "archive/";
  EXPECT_READS(read_sample(sample));
}

TEST(Pt2, ReadsAProgramOfAnotherName) {
  auto entries = Sample{}.entries();
  std::map<std::string, std::string> renamed;
  for (auto& [name, bytes] : entries) {
    std::string to = name;
    if (const size_t at = to.rfind("/model"); at != std::string::npos && to.ends_with(".json"))
      to.replace(at, 6, "/net");
    renamed[to] = bytes;
  }
  EXPECT_READS(read_bytes(zip_bytes(renamed)));
}

TEST(Pt2, StridedSharedAndOffsetTensors) {
  Sample sample;
  sample.inputs().push_back(stored_input("tensor_constant", "c_t", "t"));
  sample.inputs().push_back(stored_input("buffer", "b_n", "block.n", false));
  sample.constants["config"]["t"] = payload("tensor_0", meta(2, {2, 3}, {1, 2}, 1));  // transposed, one in
  sample.constants["config"]["block.n"] = payload("tensor_0", meta(2, {2, 1, 2}, {0, INT64_MAX, 3}, 0));  // expanded
  sample.files["data/constants/tensor_0"] = "0123456";
  sample.values()["c_t"] = meta(2, {2, 3});
  sample.values()["b_n"] = meta(2, {2, 1, 2});
  sample.only({quantize("t", "c_t", true), quantize("n", "b_n", true), quantize("t2", "c_t", true), relu("y", "x")});
  sample.values()["t"] = sample.values()["t2"] = meta(7, {2, 3});
  sample.values()["n"] = meta(7, {2, 1, 2});
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  // The name "t" was taken by the constant first; the node's result gets a suffix.
  EXPECT_EQ(bytes_of(*program, "t"), (std::vector<int8_t>{'1', '3', '5', '2', '4', '6'}));
  EXPECT_EQ(bytes_of(*program, "block.n"), (std::vector<int8_t>{'0', '3', '0', '3'}));
}

TEST(Pt2, TensorsThatDifferInStridesAlone) {
  Sample sample;
  std::vector<json> nodes;
  for (const std::string name : {"rows", "columns"}) {
    sample.inputs().push_back(stored_input("tensor_constant", "c_" + name, name));
    const bool rows = name == "rows";
    sample.constants["config"][name] = payload("t", meta(2, {2, 2}, {rows ? 2 : 1, rows ? 1 : 2}));
    sample.values()["c_" + name] = sample.values()["r_" + name] = meta(2, {2, 2});
    nodes.push_back(relu("r_" + name, "c_" + name));
  }
  sample.files["data/constants/t"] = "0123";
  nodes.push_back(relu("y", "x"));
  const auto program = read_sample(sample.only(nodes));
  EXPECT_READS(program);
  EXPECT_EQ(bytes_of(*program, "rows"), (std::vector<int8_t>{'0', '1', '2', '3'}));
  EXPECT_EQ(bytes_of(*program, "columns"), (std::vector<int8_t>{'0', '2', '1', '3'}));
}

TEST(Pt2, TiedWeightsShareTheirTensor) {
  Sample sample;
  sample.inputs().push_back(stored_input("parameter", "p_tied", "tied"));
  sample.weights["config"]["tied"] = sample.weights["config"]["fc.weight"];
  sample.values()["p_tied"] = meta(2, {3, 4});
  sample.values()["w2"] = meta(7, {3, 4});
  sample.nodes().insert(sample.nodes().begin(), quantize("w2", "p_tied", true));
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  EXPECT_EQ((*program)[program->find("tied")].constant, (*program)[program->find("fc.weight")].constant);
}

TEST(Pt2, EmptyScalarAndBooleanTensors) {
  Sample sample;
  const std::pair<const char*, json> kinds[] = {
      {"empty", meta(7, {0, 3})}, {"scalar", meta(5, {})}, {"flags", meta(12, {3})}};
  std::vector<json> nodes;
  for (const auto& [name, m] : kinds) {
    const std::string arg = std::string("c_") + name;
    sample.inputs().push_back(stored_input("tensor_constant", arg, name));
    sample.constants["config"][name] = payload(name, m);
    sample.values()[arg] = m;
    sample.values()[std::string("r_") + name] = m;
    nodes.push_back(relu(std::string("r_") + name, arg));
  }
  sample.files["data/constants/empty"] = "";
  sample.files["data/constants/scalar"] = std::string("\x2a\0\0\0\0\0\0\0", 8);
  sample.files["data/constants/flags"] = std::string("\x02\0\x01", 3);
  nodes.push_back(relu("y", "x"));
  const auto program = read_sample(sample.only(nodes));
  EXPECT_READS(program);
  EXPECT_TRUE((*program)[program->find("empty")].constant->bytes.empty());
  EXPECT_EQ((*program)[program->find("scalar")].constant->as<int64_t>()[0], 42);
  EXPECT_EQ(bytes_of(*program, "flags"), (std::vector<int8_t>{1, 0, 1}));
}

TEST(Pt2, SeveralResults) {
  Sample sample;
  json chunk = node("torch.ops.aten.chunk.default", "chunk", {{"self", as_tensor("x")}, {"chunks", as_int(2)}},
                    R"([{"as_tensors": [{"name": "a"}, {"name": "b"}]}])"_json);
  sample.only({chunk, relu("y", "b")});
  for (const char* name : {"a", "b", "y"}) sample.values()[name] = meta(7, {1, 2});
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  EXPECT_EQ(program->nodes[1].inputs[0], program->find("b"));

  sample.nodes()[0]["outputs"] = json::array({as_tensor("a"), as_tensor("b")});  // a tuple is spelled so
  EXPECT_READS(read_sample(sample));
  sample.nodes()[0]["outputs"] = json::array({as_tensor("a")});
  sample.nodes()[1] = relu("y", "a");
  expect_error(sample, "F8-0117", "has 1 results, the op gives 2");
}

TEST(Pt2, DefaultsAndEveryKindOfArgument) {
  Sample sample;
  sample.graph()["sym_int_values"]["s"] = symbolic("Mul(Integer(-2), Integer(3))");
  const auto probe = [&](const json& arg) {
    sample.only({node("torch.ops.fake.probe.default", "y", {{"self", as_tensor("x")}, {"a", arg}})});
    probed_args.clear();
    const auto program = read_sample(sample);
    EXPECT_TRUE(program) << format(program.errors());
    return probed_args["a"];
  };
  using ints = std::vector<int64_t>;
  EXPECT_EQ(probe(R"({"as_none": true})"_json), ir::Arg(std::monostate{}));
  EXPECT_EQ(probed_args["d_int"], ir::Arg(int64_t{7}));
  EXPECT_EQ(probed_args["d_float"], ir::Arg(1e-5));
  EXPECT_EQ(probed_args["d_bool"], ir::Arg(true));
  EXPECT_EQ(probed_args["d_ints"], ir::Arg(ints{1, 2}));
  EXPECT_EQ(probed_args["d_empty"], ir::Arg(ints{}));
  EXPECT_EQ(probed_args["d_floats"], ir::Arg(std::vector<double>{0.5, 1.0}));
  EXPECT_EQ(probed_args["d_text"], ir::Arg(std::string("mean")));

  EXPECT_EQ(probe(as_int(-3)), ir::Arg(int64_t{-3}));
  EXPECT_EQ(probe(R"({"as_ints": [1, 2]})"_json), ir::Arg(ints{1, 2}));
  EXPECT_EQ(probe(R"({"as_float": 0.25})"_json), ir::Arg(0.25));
  EXPECT_EQ(probe(R"({"as_float": "-Infinity"})"_json), ir::Arg(-INFINITY));
  EXPECT_TRUE(std::isnan(std::get<double>(probe(R"({"as_float": "NaN"})"_json))));
  EXPECT_EQ(probe(R"({"as_floats": [0.5, "Infinity"]})"_json), ir::Arg(std::vector<double>{0.5, INFINITY}));
  EXPECT_EQ(probe(R"({"as_bool": true})"_json), ir::Arg(true));
  EXPECT_EQ(probe(R"({"as_bools": [true, false]})"_json), ir::Arg(ints{1, 0}));
  EXPECT_EQ(probe(R"({"as_string": "same"})"_json), ir::Arg(std::string("same")));
  EXPECT_EQ(probe(R"({"as_scalar_type": 7})"_json), ir::Arg(int64_t{7}));
  EXPECT_EQ(probe(R"({"as_memory_format": 2})"_json), ir::Arg(int64_t{2}));
  EXPECT_EQ(probe(R"({"as_layout": 7})"_json), ir::Arg(int64_t{7}));
  EXPECT_EQ(probe(R"({"as_device": {"type": "cpu", "index": null}})"_json), ir::Arg(std::string("cpu")));
  EXPECT_EQ(probe(R"({"as_device": {"type": "cuda", "index": 1}})"_json), ir::Arg(std::string("cuda:1")));
  EXPECT_EQ(probe(R"({"as_sym_int": {"as_name": "s"}})"_json), ir::Arg(int64_t{-6}));
  EXPECT_EQ(probe(R"({"as_sym_ints": [{"as_int": 4}, {"as_name": "s"}]})"_json), ir::Arg(ints{4, -6}));
  EXPECT_EQ(probe(R"({"as_sym_bool": {"as_bool": false}})"_json), ir::Arg(false));
  EXPECT_EQ(probe(R"({"as_sym_float": {"as_float": 1.5}})"_json), ir::Arg(1.5));
  EXPECT_EQ(probe(R"({"as_optional_tensor": {"as_none": true}})"_json), ir::Arg(std::monostate{}));
  EXPECT_EQ(probe(R"({"as_optional_tensor": {"as_tensor": {"name": "x"}}})"_json), ir::Arg(ValueId{0}));
  EXPECT_EQ(probe(R"({"as_tensors": [{"name": "x"}, {"name": "x"}]})"_json),
            ir::Arg(std::vector<ValueId>{ValueId{0}, ValueId{0}}));
  EXPECT_EQ(probe(R"({"as_optional_tensors": [{"as_none": true}, {"as_tensor": {"name": "x"}}]})"_json),
            ir::Arg(std::vector<ValueId>{ValueId::none, ValueId{0}}));
}

TEST(Pt2, DropsAssertionsAndSizeArithmetic) {
  Sample sample;
  sample.nodes().push_back(
      node("torch.ops.aten._assert_tensor_metadata.default", "_assert", {{"a", as_tensor("x")}}, json::array()));
  sample.nodes().push_back(node("_operator.mul", "mul", {{"a", as_int(2)}, {"b", as_int(2)}},
                                R"([{"as_sym_int": {"as_name": "mul"}}])"_json));
  EXPECT_READS(read_sample(sample));
  // Anything else without results is not dropped: it may change something.
  sample.nodes().push_back(node("torch.ops.mine.update_state.default", "u", {{"a", as_tensor("x")}}, json::array()));
  expect_error(sample, "F8-0115", "torch.ops.mine.update_state.default is not supported");
}

TEST(Pt2, NamesFromTheArchiveAreMadeSafe) {
  Sample sample;
  sample.inputs()[2]["user_input"]["arg"] = as_tensor("x\n\x1b[31m %y");
  sample.values()["x\n\x1b[31m %y"] = meta(7, {1, 4});
  sample.nodes() = json::array({relu("relu", "x\n\x1b[31m %y")});
  sample.values()["relu"] = meta(7, {1, 4});
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  EXPECT_EQ((*program)[program->inputs[0]].name, "x___31m__y");
}

// ---- Ops of fold8's own, as torch.export writes them

Result<Program> read_with_ops(const Sample& sample) {
  return read_bytes(zip_bytes(sample.entries(), sample.deflate), {}, ops::table());
}

TEST(Pt2, NodesThatDoNothingAtInference) {
  const auto dropout = [](const std::string& op, bool train) {
    const char* first = op.ends_with('_') ? "self" : "input";  // as in the schemas of torch 2.13
    return node(fmt::format("torch.ops.aten.{}.default", op), "d",
                {{first, as_tensor("a")}, {"p", of("as_float", 0.5)}, {"train", of("as_bool", train)}});
  };
  const json a = node("torch.ops.aten.relu.default", "a", {{"self", as_tensor("x")}});
  for (const char* op : {"dropout", "dropout_", "feature_dropout", "feature_dropout_", "alpha_dropout",
                         "alpha_dropout_", "feature_alpha_dropout", "feature_alpha_dropout_"}) {
    Sample sample;
    EXPECT_READS(read_with_ops(sample.only({a, dropout(op, false), relu("y", "d")})));
    const auto training = read_with_ops(sample.only({a, dropout(op, true), relu("y", "d")}));
    expect_error(training, "F8-0301", "drops at random");
    expect_error(training, "F8-0301", "call model.eval() before export");
  }
  Sample same;
  const auto cast = [](const char* target, int dtype) {
    return node(target, "d", {{"self", as_tensor("a")}, {"dtype", of("as_scalar_type", dtype)}});
  };
  for (const char* target :
       {"torch.ops.aten.to.dtype", "torch.ops.aten.to.dtype_layout", "torch.ops.aten._to_copy.default"}) {
    EXPECT_READS(read_with_ops(same.only({a, cast(target, 7), relu("y", "d")})));
    Sample other;
    expect_error(read_with_ops(other.only({a, cast(target, 8), relu("y", "d")})), "F8-0301", "between element types");
  }
}

TEST(Pt2, OpenEndsOfSlicesAreClipped) {
  const auto slice = [](int64_t start, int64_t end) {
    return node("torch.ops.aten.slice.Tensor", "y",
                {{"self", as_tensor("x")}, {"dim", as_int(1)}, {"start", as_int(start)}, {"end", as_int(end)}});
  };
  struct Case {
    int64_t start, end, size, first, last;
  };
  // x[:, 1:], x[:, -2:], x[:, :9], x[:, -9:2], x[:, 9:] of 4, as Python has them.
  for (const Case& c : {Case{1, INT64_MAX, 3, 1, 4},
                        {-2, INT64_MAX, 2, 2, 4},
                        {0, 9, 4, 0, 4},
                        {-9, 2, 2, 0, 2},
                        {9, INT64_MAX, 0, 4, 4}}) {
    Sample sample;
    sample.only({slice(c.start, c.end)});
    sample.values()["y"] = meta(7, {1, c.size});
    const auto program = read_with_ops(sample);
    EXPECT_READS(program);
    EXPECT_EQ(program->nodes[0].attrs.integer("start"), c.first);
    EXPECT_EQ(program->nodes[0].attrs.integer("end"), c.last);
  }
}

// ---- Where a node comes from -------------------------------------------------------------------------------------

Place place_with(const json& metadata) {
  Sample sample;
  sample.nodes()[2]["metadata"] = metadata;
  const auto program = read_sample(sample);
  EXPECT_TRUE(program) << format(program.errors());
  return program ? program->nodes[2].place() : Place{};
}

TEST(Pt2, PlaceIsTheModelsOwnLine) {
  const Place place = place_with(
      {{"stack_trace",
        "File \"/home/user/src/net.py\", line 68, in forward\n    x = self.b1(self.stem(x))\n"
        "  File \"/home/user/src/net.py\", line 19, in run\n    x = self.conv(x)\n"
        "  File \"/opt/lib/python3.11/site-packages/torch/nn/modules/conv.py\", line 565, in forward\n    return f(x)"},
       {"nn_module_stack",
        "L__self__,,models.IC;L__self__b1,b1,models.ResBlock;L__self__b1.a,b1.a,models.f.<locals>.Conv;"
        "L__self__b1.a.relu,b1.a.relu,torch.nn.modules.activation.ReLU"}});
  EXPECT_EQ(place.source_file, "net.py");
  EXPECT_EQ(place.source_line, 19);
  EXPECT_EQ(place.source_text, "x = self.conv(x)");
  EXPECT_EQ(place.function, "run");
  EXPECT_EQ(place.module_path, "IC.forward > b1 (ResBlock) > a (Conv) > relu (ReLU)");
  EXPECT_EQ(place.node, "relu");
}

TEST(Pt2, PlaceWithoutUsefulMetadata) {
  const Place wrapper = place_with({{"nn_module_stack", "L__self__,,torch.export._trace._f.<locals>.Wrapper"}});
  EXPECT_EQ(wrapper.module_path, "");
  EXPECT_EQ(wrapper.source_file, "");
  const Place torch_only = place_with(
      {{"stack_trace",
        "File \"/x/site-packages/torch/nn/modules/linear.py\", line 134, in forward\n    return F.linear()"}});
  EXPECT_EQ(torch_only.source_file, "");  // says nothing of the model
  const Place relative = place_with(
      {{"stack_trace",
        "File \"net.py\", line 3, in forward\n    y = f(x)\nFile \"torch/nn/modules/linear.py\", line 134, in f"}});
  EXPECT_EQ(relative.source_file, "net.py");
  for (const json& odd : {json(3), json::object({{"stack_trace", 7}, {"nn_module_stack", json::array()}}),
                          json::object({{"stack_trace", "File \"a.py\", line 99999999999999999999\n"}}),
                          json::object({{"stack_trace", "File \"a.py"}, {"nn_module_stack", "a,b;,,;"}})}) {
    EXPECT_LE(place_with(odd).source_line, 0);
    EXPECT_EQ(place_with(odd).module_path, "");
  }
}

TEST(Pt2, ErrorsCarryTheirPlace) {
  Sample sample;
  sample.nodes()[2]["target"] = "torch.ops.aten.frobnicate.default";
  sample.nodes()[2]["metadata"] = {{"stack_trace", "File \"/a/net.py\", line 7, in forward\n    return frob(x)"},
                                   {"nn_module_stack", "L__self__,,__main__.Net"}};
  const auto result = read_sample(sample);
  expect_error(result, "F8-0115", "torch.ops.aten.frobnicate.default is not supported");
  const std::string text = format(result.errors());
  EXPECT_TRUE(text.starts_with("net.py:7: error[F8-0115]")) << text;
  EXPECT_NE(text.find("Net.forward, fx node relu"), std::string::npos) << text;
}

// ---- Files that are no archive -----------------------------------------------------------------------------------

TEST(Pt2, NoSuchFile) {
  TempFolder folder = *TempFolder::make();
  expect_error(pt2::read(folder.path() / "net.pt2", fake_ops(), {}), "F8-0101", "No such file");
  std::filesystem::create_directory(folder.path() / "net.pt2");
  expect_error(pt2::read(folder.path() / "net.pt2", fake_ops(), {}), "F8-0101", "it is a folder");
}

TEST(Pt2, NotAZip) {
  expect_error(read_bytes("not a zip, whatever its name says"), "F8-0101", "the file is not a zip");
  ASSERT_FALSE(read_bytes(""));
  EXPECT_TRUE(read_bytes("").errors()[0].code.starts_with("F8-010"));
}

TEST(Pt2, FilesOfOtherKinds) {
  const std::pair<std::string, const char*> kFiles[] = {
      {std::string("\x1c\0\0\0TFL3\x14\0\x20\0", 12), "the file is a TensorFlow Lite model"},
      {std::string("\x1c\0\0\0ET12\x14\0\x20\0", 12), "the file is an ExecuTorch program"},
      {std::string("\x08\x08\x12\x07pytorch", 11), "the file is an ONNX model"},
      {"\x89HDF\r\n", "the file is an HDF5 file"},
      {"\x93NUMPY", "the file is a NumPy array"},
      {"\x80\x02}q", "the file is a pickle"},
      {std::string("\x40\0\0\0\0\0\0\0{\"w\":", 14), "the file is a safetensors file"},
      {"version https://git-lfs.github.com/spec/v1\n", "the file is a pointer of Git LFS"},
      {"program form=int8 {", "name that ends in .f8"},
      {"", "the file is empty"},
      {"PK", "the file is not a zip"}};
  for (const auto& [bytes, text] : kFiles) {
    expect_error(read_bytes(bytes), "F8-0101", text);
    EXPECT_EQ(read_bytes(bytes).errors()[0].notes.size(), 1U) << text;
  }
}

TEST(Pt2, EmptyZip) {
  expect_error(read_bytes(std::string("PK\5\6", 4) + std::string(18, '\0')), "F8-0102", "the zip is empty");
}

TEST(Pt2, TruncatedAnywhere) {
  const std::string whole = zip_bytes(Sample{}.entries());
  expect_error(read_bytes(whole.substr(0, whole.size() / 2)), "F8-0101", "cut short or damaged");
  for (size_t size = 0; size < whole.size(); size += 37) EXPECT_FALSE(read_bytes(whole.substr(0, size))) << size;
}

TEST(Pt2, DamagedBytes) {
  std::string bytes = zip_bytes(Sample{}.entries());
  bytes[bytes.find("abcdefghijkl")] ^= 1;
  expect_error(read_bytes(bytes), "F8-0105", "its length or checksum is wrong");
}

TEST(Pt2, OtherZips) {
  expect_error(read_bytes(zip_bytes({{"doc/word.xml", "x"}})), "F8-0102", "it holds no models/model.json");
  expect_error(
      read_bytes(zip_bytes({{"net/data.pkl", "x"}, {"net/code/__torch__.py", "x"}, {"net/constants.pkl", "x"}})),
      "F8-0102", "looks like TorchScript");
  expect_error(read_bytes(zip_bytes({{"net/data.pkl", "x"}, {"net/data/0", "x"}})), "F8-0102",
               "looks like a state_dict");
  expect_error(read_bytes(zip_bytes({{"a/models/m1.json", "{}"}, {"a/models/m2.json", "{}"}})), "F8-0102",
               "holds 2 programs");
}

TEST(Pt2, OldArchives) {
  expect_error(read_bytes(zip_bytes({{"serialized_exported_program.json", "{}"}, {"serialized_state_dict.pt", "x"}})),
               "F8-0103", "re-save it with torch >= 2.9");
  Sample sample;
  sample.left_out = {"data/weights/model_weights_config.json"};
  sample.files["data/weights/model.pt"] = "x";
  expect_error(sample, "F8-0103", "re-save it with torch >= 2.9");
  Sample pickled;
  pickled.weights["config"]["fc.weight"]["use_pickle"] = true;
  expect_error(pickled, "F8-0103", "tensor 'fc.weight' is stored as a pickle");
}

TEST(Pt2, SchemaVersionAndByteOrder) {
  Sample sample;
  sample.model["schema_version"]["major"] = 9;
  expect_error(sample, "F8-0104", "export schema version 9 (written by torch 2.13.0); version 8 is read");
  sample.model.erase("torch_version");
  expect_error(sample, "F8-0104", "export schema version 9; version 8 is read");
  Sample big;
  big.files["byteorder"] = "big";
  expect_error(big, "F8-0104", "byte order 'big'");
  big.files["byteorder"] = "little";
  EXPECT_READS(read_sample(big));
}

TEST(Pt2, MissingEntries) {
  Sample sample;
  sample.files.clear();
  expect_error(sample, "F8-0105", "archive entry 'data/weights/weight_0' is missing");
  for (const char* name : {"data/weights/model_weights_config.json", "data/constants/model_constants_config.json"}) {
    Sample without;
    without.left_out = {name};
    expect_error(without, "F8-0105", std::string(name) + "' is missing");
  }
  Sample unlisted;
  unlisted.weights["config"].erase("fc.weight");
  expect_error(unlisted, "F8-0105", "no stored tensor 'fc.weight'");
}

// Rewrites a field of the central directory's record of `name`.
template <class T>
std::string forge(std::string bytes, const std::string& name, size_t field_offset, T value) {
  constexpr size_t kRecordBytes = 46;  // before the name
  const size_t record = bytes.rfind(name) - kRecordBytes;
  EXPECT_EQ(bytes.substr(record, 4), std::string("PK\1\2", 4));
  std::memcpy(bytes.data() + record + field_offset, &value, sizeof value);
  return bytes;
}

TEST(Pt2, LyingDirectories) {
  constexpr size_t kMethod = 10, kFlags = 8, kStoredBytes = 20, kBytes = 24;
  const std::string stored = zip_bytes(Sample{}.entries());
  const std::string name = "sample/data/weights/weight_0";
  expect_error(read_bytes(forge<uint32_t>(stored, name, kBytes, 0x7fffffffU)), "F8-0105",
               "claims 2147483647 bytes from 12");
  expect_error(read_bytes(forge<uint32_t>(stored, name, kBytes, 0x3fffffffU)), "F8-0105",
               "claims 1073741823 bytes from 12");
  expect_error(read_bytes(forge<uint32_t>(stored, name, kStoredBytes, 0x3fffffffU)), "F8-0105",
               "stored bytes in a file of");
  expect_error(read_bytes(forge<uint16_t>(stored, name, kMethod, 12)), "F8-0105", "compression method 12");
  EXPECT_FALSE(read_bytes(forge<uint16_t>(stored, name, kFlags, 1)));  // encrypted
  const std::string both = forge<uint32_t>(stored, name, kBytes, 13U);
  EXPECT_FALSE(read_bytes(forge<uint32_t>(both, name, kStoredBytes, 13U)));

  Sample sample;
  sample.deflate = true;
  sample.files["data/weights/weight_0"] = std::string(4096, 'a');
  const std::string deflated = zip_bytes(sample.entries(), true);
  expect_error(read_bytes(forge<uint32_t>(deflated, name, kBytes, 0x3fffffffU)), "F8-0105",
               "claims 1073741823 bytes from");
  EXPECT_FALSE(read_bytes(forge<uint32_t>(deflated, name, kBytes, 5000U)));  // fewer come than claimed
  EXPECT_FALSE(read_bytes(forge<uint32_t>(deflated, name, kBytes, 12U)));    // more come than claimed
}

// ---- JSON --------------------------------------------------------------------------------------------------------

Result<Program> read_with_model_text(const std::string& text) {
  auto entries = Sample{}.entries();
  entries["sample/models/model.json"] = text;
  return read_bytes(zip_bytes(entries, true));
}

TEST(Pt2, BrokenJson) {
  expect_error(read_with_model_text("{\"a\": "), "F8-0106", "'models/model.json' is not valid JSON at byte");
  expect_error(read_with_model_text(""), "F8-0106", "is not valid JSON");
  expect_error(read_with_model_text("\"\xff\xfe\""), "F8-0106", "is not valid JSON");
  expect_error(read_with_model_text("[1e999]"), "F8-0106", "number out of range");
  expect_error(read_with_model_text("[]"), "F8-0106", "is array in JSON, expected an object");
  for (const char* open : {"[", "{\"a\":"}) {
    std::string bomb;
    for (int i = 0; i < 200'000; ++i) bomb += open;
    expect_error(read_with_model_text(bomb), "F8-0106", "nests deeper than 100 levels");
  }
}

TEST(Pt2, WrongKindsOfJson) {
  Sample sample;
  sample.graph().erase("nodes");
  expect_error(sample, "F8-0106", "'nodes' is missing");
  sample = {};
  sample.graph()["nodes"] = 3;
  expect_error(sample, "F8-0106", "'nodes' is number in JSON, expected an array");
  sample = {};
  sample.nodes()[0]["target"] = 3;
  expect_error(sample, "F8-0106", "'target' is number in JSON, expected a string");
  sample = {};
  sample.nodes()[0]["inputs"][2]["arg"] = R"({"as_int": 18446744073709551615})"_json;
  expect_error(sample, "F8-0106", "does not fit 64 bits");
  sample = {};
  sample.nodes()[0]["inputs"][2]["arg"] = R"({"as_int": 1, "as_float": 1.0})"_json;
  expect_error(sample, "F8-0106", "has 2 keys, expected one");
  sample = {};
  sample.nodes()[0]["inputs"][2]["arg"] = R"({"as_float": "lots"})"_json;
  expect_error(sample, "F8-0106", "is string in JSON, expected a number");
  sample = {};
  sample.nodes()[0]["inputs"][2]["arg"] = R"({"as_bool": 1})"_json;
  expect_error(sample, "F8-0106", "expected a boolean");
  sample = {};
  sample.values()["x"]["sizes"][0] = of("as_name", "s");
  expect_error(sample, "F8-0106", "is 'as_name'");
  for (const char* name : {"x", "linear", "b_fc_weight"}) {
    sample = {};
    sample.values().erase(name);
    expect_error(sample, "F8-0106", fmt::format("'tensor_values' says nothing of '{}'", name));
  }
}

// Puts every kind of wrong thing in place of every part of the JSON: answers may differ, crashes may not.
void for_each_part(json& part, const std::function<void(json&)>& visit) {
  visit(part);
  if (part.is_structured())
    for (auto& child : part) for_each_part(child, visit);
}

TEST(Pt2, NoPartOfTheJsonIsTrusted) {
  Sample sample;
  sample.model["range_constraints"]["s0"] = R"({"min_val": 1, "max_val": 4})"_json;
  sample.values()["x"]["sizes"][0] = symbolic("Symbol('s0', integer=True)");
  const pt2::Options options{{{"s0", 1}}};
  EXPECT_READS(read_sample(sample, options));
  const json wrong[] = {nullptr, -1, "x", json::array(), json::object(), as_int(-5), INT64_MAX};
  int read = 0;
  for (json* whole : {&sample.model, &sample.weights, &sample.constants}) {
    for_each_part(*whole, [&](json& part) {
      const json right = part;
      for (const json& other : wrong) {
        part = other;
        (void)read_sample(sample, options);
        ++read;
      }
      part = right;
    });
  }
  EXPECT_GT(read, 1000);
}

// ---- Tensors -----------------------------------------------------------------------------------------------------

void expect_weight_error(const json& weight_meta, const std::string& code, const std::string& text) {
  Sample sample;
  sample.weights["config"]["fc.weight"]["tensor_meta"] = weight_meta;
  expect_error(sample, code, text);
}

TEST(Pt2, DtypesAndLayouts) {
  expect_weight_error(meta(6, {3, 4}), "F8-0107", "constant 'fc.weight': dtype float16 is not supported");
  expect_weight_error(meta(13, {3, 4}), "F8-0107", "dtype bfloat16");
  expect_weight_error(meta(8, {3, 4}), "F8-0107", "dtype float64");
  expect_weight_error(meta(77, {3, 4}), "F8-0107", "dtype number 77 is unknown");
  json sparse = meta(2, {3, 4});
  sparse["layout"] = 1;
  expect_weight_error(sparse, "F8-0107", "is not strided");
  Sample sample;
  sample.values()["x"]["dtype"] = 6;
  expect_error(sample, "F8-0107", "value 'x': dtype float16 is not supported");
}

TEST(Pt2, TensorsThatDoNotFitTheirFile) {
  expect_weight_error(meta(2, {3, 5}), "F8-0108", "shape [3,5], strides [5,1], offset 0 reach beyond 12 stored bytes");
  expect_weight_error(meta(2, {3, 4}, {4, 1}, 1), "F8-0108", "reach beyond 12 stored bytes");
  expect_weight_error(meta(2, {3, 4}, {5, 1}), "F8-0108", "reach beyond");
  expect_weight_error(meta(2, {3, 4}, {INT64_MAX, INT64_MAX}), "F8-0108", "reach beyond");
  expect_weight_error(meta(2, {3, 4}, {4, 1}, INT64_MAX), "F8-0108", "reach beyond");
  expect_weight_error(meta(2, {3, 4}, {4, -1}), "F8-0108", "stride -1");
  expect_weight_error(meta(2, {3, 4}, {4, 1}, -1), "F8-0108", "storage offset -1");
  expect_weight_error(meta(2, {3, 4}, {4}), "F8-0108", "2 sizes with 1 strides");
  expect_weight_error(meta(5, {1}), "F8-0108", "12 bytes are no whole number of 8-byte elements");
}

TEST(Pt2, AbsurdTensors) {
  expect_weight_error(meta(2, {-3, 4}), "F8-0108", "a dimension of size -3");
  expect_weight_error(meta(2, {int64_t{1} << 31}), "F8-0108", "a dimension of size 2147483648");
  expect_weight_error(meta(7, {32768, 32768}, {0, 0}), "F8-0108", "needs more than");
  expect_weight_error(meta(2, {INT32_MAX, INT32_MAX, INT32_MAX, 0}), "F8-0108", "needs more than");
  expect_weight_error(meta(2, std::vector<int64_t>(17, 1)), "F8-0108", "17 dimensions");
  json open = meta(2, {3, 4});
  open["sizes"][0] = symbolic("Symbol('s0')");
  expect_weight_error(open, "F8-0108", "is symbolic; a stored tensor has a fixed shape");
  Sample sample;
  sample.values()["x"] = meta(7, {-1, 4});
  expect_error(sample, "F8-0108", "value 'x': a dimension of size -1");

  constexpr int64_t kMiB = int64_t{1} << 20;
  Sample sum;  // each would do, both together do not: 50 MiB each out of one stored, where 80 may be held
  std::vector<json> nodes;
  for (const std::string name : {"a", "b"}) {
    const json big = meta(2, {50, kMiB}, {0, 1}, name == "a" ? 0 : 1);
    sum.inputs().push_back(stored_input("tensor_constant", "c_" + name, name));
    sum.constants["config"][name] = payload("t", big);
    sum.values()["c_" + name] = sum.values()["r_" + name] = big;
    nodes.push_back(relu("r_" + name, "c_" + name));
  }
  sum.files["data/constants/t"] = std::string(kMiB + 1, 'a');
  expect_error(sum.only(nodes), "F8-0108", "constants need more than");
}

// ---- Memory: what small files ask for

Result<Program> read_deflated(const std::string& entry, const std::string& text) {
  auto entries = Sample{}.entries();
  entries["sample/" + entry] = text;
  return read_bytes(zip_bytes(entries, true));
}

// `object` with one more member, of `count` times `piece`.
std::string swollen(const json& object, const std::string& piece, size_t count) {
  std::string text = object.dump();
  text.pop_back();
  text += ", \"more\": [";
  for (size_t i = 0; i < count; ++i) text += piece;
  return text + "0]}";
}

TEST(Pt2, EntriesThatUnpackFarBeyondTheirFile) {
  const std::string zeros(size_t{70} << 20, '0');
  for (const char* entry : {"models/model.json", "data/weights/weight_0"})
    expect_error(read_deflated(entry, zeros), "F8-0105", "unpacks to 73400320 bytes; of this file, at most");
}

TEST(Pt2, JsonThatTakesFarMoreMemoryThanItsText) {
  const std::pair<const char*, size_t> kPieces[] = {{"[],", 1'000'000}, {"0,", 2'500'000}, {"{\"\":{}},", 500'000}};
  for (const auto& [piece, count] : kPieces) {
    const Sample sample;
    expect_error(read_deflated("models/model.json", swollen(sample.model, piece, count)), "F8-0105",
                 "'models/model.json' takes about");
    expect_error(read_deflated("data/weights/model_weights_config.json", swollen(sample.weights, piece, count)),
                 "F8-0105", "_weights_config.json' takes about");
  }
  // All of an archive's JSON together: half of it each.
  auto entries = Sample{}.entries();
  entries["sample/models/model.json"] = swollen(Sample{}.model, "[],", 400'000);
  EXPECT_READS(read_bytes(zip_bytes(entries, true)));
  entries["sample/data/weights/model_weights_config.json"] = swollen(Sample{}.weights, "[],", 400'000);
  expect_error(read_bytes(zip_bytes(entries, true)), "F8-0105", "_weights_config.json' takes about");
}

TEST(Pt2, TensorsThatRepeatTheirBytes) {
  expect_weight_error(meta(2, {1'000'000'000}, {0}), "F8-0108", "needs more than 268435456 bytes");
  expect_weight_error(meta(2, {200'000'000}, {0}), "F8-0108", "for shape [200000000], of this file");
}

TEST(Pt2, StorageThatSeveralTensorsShareIsHeldOnce) {
  Sample sample;
  sample.deflate = true;
  std::vector<json> nodes;
  for (int i = 0; i < 4; ++i) {
    const std::string name = fmt::format("t{}", i);
    sample.inputs().push_back(stored_input("tensor_constant", "c_" + name, name));
    sample.constants["config"][name] = payload("shared", meta(2, {4}, {1}, i));
    sample.values()["c_" + name] = sample.values()["r_" + name] = meta(2, {4});
    nodes.push_back(relu("r_" + name, "c_" + name));
  }
  nodes.push_back(relu("y", "x"));
  sample.files["data/constants/shared"] = std::string(size_t{20} << 20, 'a');  // 4 of these are more than allowed
  EXPECT_READS(read_sample(sample.only(nodes)));
}

TEST(Pt2, PartsAreCountedBeforeTheyAreMade) {
  Sample sample;
  sample.values()["x"] = meta(2, {1, 200'000'000});
  const std::pair<const char*, Args> kNodes[] = {
      {"unbind.int", {{"self", as_tensor("x")}, {"dim", as_int(1)}}},
      {"split.Tensor", {{"self", as_tensor("x")}, {"split_size", as_int(1)}, {"dim", as_int(1)}}},
      {"chunk.default", {{"self", as_tensor("x")}, {"chunks", as_int(INT64_MAX)}, {"dim", as_int(1)}}}};
  for (const auto& [target, args] : kNodes) {
    sample.only({node(std::string("torch.ops.aten.") + target, "y", args)});
    expect_error(read_with_ops(sample), "F8-0117", "has 1 results, the op gives 200000000");
  }
}

TEST(Pt2, StoredTensorAgainstTheGraph) {
  Sample sample;
  sample.values()["b_fc_weight"] = meta(2, {4, 3});
  expect_error(sample, "F8-0117", "'b_fc_weight': the archive says i8[4,3], the stored tensor gives i8[3,4]");
}

// ---- Symbols -----------------------------------------------------------------------------------------------------

Sample symbolic_sample(const std::string& expression = "Symbol('s77', positive=True, integer=True)") {
  Sample sample;
  const json size = symbolic(expression);
  for (const char* name : {"x", "linear", "relu"}) sample.values()[name]["sizes"][0] = size;
  sample.model["range_constraints"]["s77"] = R"({"min_val": 1, "max_val": 64})"_json;
  return sample;
}

TEST(Pt2, BindsSymbols) {
  const auto program = read_sample(symbolic_sample(), {{{"s77", 3}}});
  EXPECT_READS(program);
  EXPECT_EQ(program->type(program->inputs[0]).shape, (ir::Shape{3, 4}));
  const auto sum =
      read_sample(symbolic_sample("Add(Integer(-1), Mul(Integer(2), Symbol('s77', integer=True)))"), {{{"s77", 3}}});
  EXPECT_READS(sum);
  EXPECT_EQ(sum->type(sum->inputs[0]).shape, (ir::Shape{5, 4}));
}

TEST(Pt2, OpenSymbols) {
  expect_error(symbolic_sample(), "F8-0109", "symbolic dimension without a size: s77 (of input x, 1 to 64)");
  expect_error(symbolic_sample(), "F8-0109", "--bind s77=1");
  Sample two = symbolic_sample();
  two.values()["x"]["sizes"][1] = symbolic("Symbol('s3')");
  two.model["range_constraints"]["s3"] = R"({"min_val": 2, "max_val": null})"_json;
  expect_error(two, "F8-0109", "dimensions without a size: s3 (of input x, 2 or more); s77");
  expect_error(two, "F8-0109", "--bind s3=2 --bind s77=1");
  Sample inner;  // a symbol that no input shows
  inner.values()["linear"]["sizes"][0] = symbolic("Symbol('u0')");
  expect_error(inner, "F8-0109", "without a size: u0");
}

TEST(Pt2, BindsThatDoNotFit) {
  expect_error(symbolic_sample(), "F8-0111", "--bind s77=65 is out of range: s77 (of input x, 1 to 64)",
               {{{"s77", 65}}});
  expect_error(symbolic_sample(), "F8-0111", "out of range", {{{"s77", 0}}});
  expect_error(symbolic_sample(), "F8-0111", "it has: s77", {{{"s78", 1}}});
  expect_error(Sample{}, "F8-0111", "it has none at all", {{{"s77", 1}}});
}

TEST(Pt2, ExpressionsNotUnderstood) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "Add(";
  for (const std::string& text :
       {std::string("Pow(Symbol('s77'), Integer(2))"), std::string("Integer(2"), std::string("Integer()"),
        std::string("Integer(2) x"), std::string("Symbol('s77'"), std::string("Symbol(')"), std::string("Mul()"),
        std::string("Add(Integer(1) Integer(2))"), std::string("Integer(99999999999999999999)"), std::string(), deep})
    expect_error(symbolic_sample(text), "F8-0112", "is not understood", {{{"s77", 1}}});
  const std::string huge = "Mul(Integer(9223372036854775807), Integer(9223372036854775807))";
  expect_error(symbolic_sample(huge), "F8-0112", "overflows", {{{"s77", 1}}});
  Sample bad;
  bad.model["range_constraints"] = json::array();
  expect_error(bad, "F8-0106", "'range_constraints'");
}

TEST(Pt2, SymbolicArgumentsThatNothingDefines) {
  Sample sample;
  const auto view = [](const json& size) {
    return node("torch.ops.aten.view.default", "y", {{"self", as_tensor("x")}, {"size", of("as_sym_ints", size)}});
  };
  sample.only({view(R"([{"as_name": "s"}, {"as_int": 4}])"_json)});
  expect_error(sample, "F8-0116", "names 's', which nothing defines");
  sample.only({view(R"([{"as_expr": "s"}, {"as_int": 4}])"_json)});
  expect_error(sample, "F8-0110", "is of kind 'as_expr'");
}

// ---- Signature ---------------------------------------------------------------------------------------------------

TEST(Pt2, RefusedInputs) {
  Sample sample;
  sample.inputs().push_back(R"({"user_input": {"arg": {"as_int": 3}}})"_json);
  sample.inputs().push_back(R"({"constant_input": {"name": "flag", "value": {"as_none": true}}})"_json);
  sample.inputs().push_back(R"({"constant_input": 3})"_json);
  sample.inputs().push_back(R"({"custom_obj": {"arg": {"name": "o", "class_fqn": "C"}}})"_json);
  sample.inputs().push_back(R"({"token": {"arg": {"name": "t"}}})"_json);
  const auto result = read_sample(sample);
  expect_error(result, "F8-0113", "input 2 of the model is a number, 3, not a tensor");
  EXPECT_EQ(result.errors().size(), 5U);
  expect_error(result, "F8-0113", "input 'flag' of the model is a constant");
  expect_error(result, "F8-0113", "an input of kind 'custom_obj'");
  expect_error(result, "F8-0113", "an input of kind 'token'");
}

TEST(Pt2, InputsThatAreNoQuantities) {
  Sample sample;
  sample.only({relu("y", "x")});
  for (const char* name : {"x", "y"}) sample.values()[name] = meta(5, {1, 4});
  expect_error(sample, "F8-0113", "input 'x' is i64; inputs are float32, or int8 once quantized");
  expect_error(sample, "F8-0113", "indices are looked up by the caller");
  for (const char* name : {"x", "y"}) sample.values()[name] = meta(1, {1, 4});
  expect_error(sample, "F8-0113", "input 'x' is u8");
  expect_error(sample, "F8-0113", "scaled as in training");
}

TEST(Pt2, RefusedOutputs) {
  Sample size;
  size.outputs().push_back(R"({"user_output": {"arg": {"as_sym_int": {"as_name": "sym_size"}}}})"_json);
  expect_error(size, "F8-0113", "output 2 of the model is a number, sym_size, not a tensor");
  expect_error(size, "F8-0113", "return tensors alone");
  Sample sample;
  sample.outputs().push_back(R"({"user_output": {"arg": {"as_none": true}}})"_json);
  sample.outputs().push_back(R"({"loss_output": {"arg": {"name": "relu"}}})"_json);
  const auto result = read_sample(sample);
  expect_error(result, "F8-0113", "output 2 of the model is None, not a tensor");
  expect_error(result, "F8-0113", "an output of kind 'loss_output'");
  Sample nothing;
  nothing.outputs() = json::array();
  expect_error(nothing, "F8-0113", "the program returns nothing");
  for (const char* name : {"x", "b_fc_weight"}) {
    Sample direct;
    direct.outputs()[0]["user_output"]["arg"] = as_tensor(name);
    expect_error(direct, "F8-0113", "of the program, returned as it is");
  }
  Sample dangling;
  dangling.outputs()[0]["user_output"]["arg"] = as_tensor("nowhere");
  expect_error(dangling, "F8-0116", "value 'nowhere' is used before anything defines it");
}

TEST(Pt2, HiddenState) {
  const std::pair<json, const char*> mutations[] = {
      {R"({"buffer_mutation": {"arg": {"name": "relu"}, "buffer_name": "state"}})"_json, "changes buffer 'state'"},
      {R"({"user_input_mutation": {"arg": {"name": "relu"}, "user_input_name": "x"}})"_json, "changes input 'x'"},
      {R"({"parameter_mutation": {"arg": {"name": "relu"}, "parameter_name": "p"}})"_json, "changes parameter 'p'"}};
  for (const auto& [spec, text] : mutations) {
    Sample sample;
    sample.outputs().push_back(spec);
    expect_error(sample, "F8-0114", text);
    expect_error(sample, "F8-0114", "make the state explicit");
  }
  // torch.export leaves in-place ops on buffers in the graph and says nothing of them in the signature.
  const auto copy = [](const char* to) {
    return node("torch.ops.aten.copy_.default", "copy_", {{"self", as_tensor(to)}, {"src", as_tensor("w")}});
  };
  Sample buffer;
  buffer.nodes().push_back(copy("b_fc_weight"));
  expect_error(buffer, "F8-0114", "changes buffer 'fc.weight' (torch.ops.aten.copy_.default)");
  buffer.nodes() = json::array({copy("b_fc_weight")});  // written, never read
  expect_error(buffer, "F8-0114", "changes buffer 'fc.weight'");
  Sample input;
  input.nodes().push_back(copy("x"));
  expect_error(input, "F8-0114", "changes input 'x'");
  Sample inner;
  inner.nodes().push_back(copy("linear"));
  expect_error(inner, "F8-0115", "torch.ops.aten.copy_.default is not supported");
  Sample supported;  // an in-place op that has a row
  expect_error(supported.only({relu_("y", "x")}), "F8-0114", "changes input 'x' (torch.ops.aten.relu_.default)");
}

// ---- In-place ops ------------------------------------------------------------------------------------------------

TEST(Pt2, InPlaceResultTakesTheNameOver) {
  Sample sample;
  sample.only({relu("a", "x"), relu_("b", "a"), relu("y", "a")});
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  EXPECT_EQ(program->nodes[2].inputs[0], program->find("b"));  // not the "a" of before
}

TEST(Pt2, InPlaceThroughAView) {
  const auto view = [](const char* name, const char* input) {
    return node("torch.ops.aten.view.default", name,
                {{"self", as_tensor(input)}, {"size", R"({"as_ints": [1, 4]})"_json}});
  };
  Sample sample;
  expect_error(sample.only({relu("a", "x"), view("v", "a"), relu_("b", "v"), relu("y", "a")}), "F8-0118",
               "'a' is read after an in-place op changed it through a view");
  expect_error(sample.only({relu("a", "x"), view("v", "a"), relu_("b", "a"), relu("y", "v")}), "F8-0118",
               "'v' is read after");
  EXPECT_READS(read_sample(sample.only({relu("a", "x"), view("v", "a"), relu_("b", "v"), relu("y", "v")})));
  expect_error(sample.only({view("v", "x"), relu_("y", "v")}), "F8-0114", "changes input 'x'");
  // An import that hands its argument through, or only gives it another shape, writes nothing.
  json reshape = view("r", "x");
  reshape["target"] = "torch.ops.aten.view_.default";
  EXPECT_READS(read_sample(sample.only({reshape, relu("y", "x")})));
  const json detach = node("torch.ops.aten.detach_.default", "d", {{"self", as_tensor("x")}});
  EXPECT_READS(read_sample(sample.only({detach, relu("y", "x")})));
}

// ---- Nodes -------------------------------------------------------------------------------------------------------

TEST(Pt2, AllUnsupportedOpsAtOnce) {
  Sample sample;
  std::vector<json> nodes = {relu("r", "x")};
  for (int i = 0; i < 25; ++i)
    nodes.push_back(node(fmt::format("torch.ops.aten.odd{}.default", i), fmt::format("odd{}", i),
                         {{"self", as_tensor(i == 0 ? "r" : fmt::format("odd{}", i - 1))}}));
  nodes.push_back(relu("y", "odd24"));  // depends on a failed node: nothing is said of it
  const auto result = read_sample(sample.only(nodes));
  expect_error(result, "F8-0115", "torch.ops.aten.odd0.default is not supported");
  EXPECT_EQ(result.errors().size(), 25U);
}

// Nodes that cannot be read stand in the Program as what the archive says of them, so that the rest can be judged.
TEST(Pt2, UnreadNodesTakeTheirPlace) {
  Sample sample;
  json odd = node("torch.ops.aten.odd.default", "odd", {{"self", as_tensor("x")}},
                  json::array({as_tensor("odd"), as_tensor("second")}));
  sample.only(
      {odd, relu("a", "second"), node("torch.ops.aten.worse.default", "b", {{"t", as_tensor("a")}}), relu("y", "b")});
  sample.values()["second"] = meta(7, {2, 4});
  sample.values()["a"] = meta(7, {2, 4});
  sample.values()["b"] = meta(6, {2, 4});  // float16: no value can stand for it
  const TempFolder folder = *TempFolder::make();
  const auto path = folder.path() / "net.pt2";
  ASSERT_TRUE(write_file(path, zip_bytes(sample.entries())));
  Diags blockers;
  const auto program = pt2::read(path, fake_ops(), {}, &blockers);
  EXPECT_READS(program);
  ASSERT_EQ(blockers.size(), 2U) << format(blockers);
  EXPECT_EQ(blockers[0].place.node, "odd");
  EXPECT_EQ(blockers[1].place.node, "b");
  EXPECT_TRUE(blockers[0].file.ends_with("net.pt2"));
  ASSERT_EQ(program->nodes.size(), 3U);  // "b" has no value that could stand for it, and so no node
  EXPECT_TRUE(ir::is_unread(program->nodes[0]));
  EXPECT_EQ(std::vector<ValueId>(program->nodes[0].inputs), std::vector<ValueId>(program->inputs));
  ASSERT_EQ(program->nodes[0].outputs.size(), 2U);
  EXPECT_EQ(program->type(program->nodes[0].outputs[1]), ir::f32({2, 4}));
  EXPECT_EQ(program->nodes[1].inputs[0], program->nodes[0].outputs[1]);
  EXPECT_TRUE(ir::is_unread(program->nodes[2]));  // reads "b"
  EXPECT_EQ(std::vector<ValueId>(program->outputs), std::vector<ValueId>(program->nodes[2].outputs));
  EXPECT_EQ(pt2::read(path, fake_ops(), {}).errors().size(), 2U);  // without a list to put them in
}

TEST(Pt2, AFailedConstantIsReportedOnce) {
  Sample sample;
  sample.files.clear();
  sample.values()["w2"] = meta(7, {3, 4});
  sample.nodes().push_back(quantize("w2", "b_fc_weight", true));
  EXPECT_EQ(read_sample(sample).errors().size(), 1U);
  Sample differs;
  differs.values()["b_fc_weight"] = meta(2, {4, 3});
  differs.values()["w2"] = meta(7, {3, 4});
  differs.nodes().push_back(quantize("w2", "b_fc_weight", true));
  EXPECT_EQ(read_sample(differs).errors().size(), 1U);
}

TEST(Pt2, Arguments) {
  Sample sample;
  json& inputs = sample.nodes()[2]["inputs"];
  const json right = inputs;
  inputs.push_back(R"({"name": "inplace", "arg": {"as_bool": true}})"_json);
  expect_error(sample, "F8-0110", "torch.ops.aten.relu.default: argument 'inplace' is not supported");
  inputs[1]["arg"] = R"({"as_none": true})"_json;
  EXPECT_READS(read_sample(sample));
  inputs = json::array();
  expect_error(sample, "F8-0110", "argument 'self' is missing");
  inputs = json::array({right[0], right[0]});
  expect_error(sample, "F8-0110", "argument 'self' is given twice");
  inputs = right;
  inputs[0]["arg"] = as_int(3);
  expect_error(sample, "F8-0110", "argument 'self' is an integer");
  for (const char* kind : {"as_graph", "as_custom_obj", "as_complex", "as_strings", "as_operator"}) {
    inputs[0]["arg"] = of(kind, json::object());
    expect_error(sample, "F8-0110", fmt::format("argument 'self' is of kind '{}'", kind));
  }
  inputs[0]["arg"] = R"({"as_sym_bool": {"as_name": "b"}})"_json;
  expect_error(sample, "F8-0110", "is of kind 'as_name'");
  inputs[0]["arg"] = R"({"as_optional_tensor": {"as_int": 1}})"_json;
  expect_error(sample, "F8-0110", "is of kind 'as_int'");
}

TEST(Pt2, NamesMustBeDefinedOnceAndBeforeUse) {
  Sample sample;
  std::swap(sample.nodes()[1], sample.nodes()[2]);
  expect_error(sample, "F8-0116", "value 'linear' is used before anything defines it");
  Sample cycle;
  cycle.only({relu("a", "b"), relu("b", "a")});
  expect_error(cycle, "F8-0116", "value 'b' is used before");
  Sample twice;
  twice.nodes().push_back(relu("again", "linear"));
  twice.nodes()[3]["outputs"] = json::array({as_tensor("relu")});
  expect_error(twice, "F8-0116", "value 'relu' is defined twice");
  Sample node_twice;
  node_twice.nodes().push_back(node_twice.nodes()[2]);
  expect_error(node_twice, "F8-0116", "node 'relu' is defined twice");
  Sample input_twice;
  input_twice.inputs().push_back(input_twice.inputs()[2]);
  expect_error(input_twice, "F8-0116", "value 'x' is defined twice");
}

TEST(Pt2, ResultsAgainstTheArchive) {
  Sample sample;
  sample.values()["linear"] = meta(7, {1, 5});
  expect_error(sample, "F8-0117", "'linear': the archive says f32[1,5], torch.ops.aten.linear.default gives f32[1,3]");
  sample.values()["linear"] = meta(2, {1, 3});
  expect_error(sample, "F8-0117", "the archive says i8[1,3], torch.ops.aten.linear.default gives f32[1,3]");
  Sample odd;
  odd.nodes()[2]["outputs"] = R"([{"as_none": true}])"_json;
  expect_error(odd, "F8-0117", "has a result of kind 'as_none'");
  Sample inferred;  // what infer() says comes back with the node's place
  inferred.nodes()[1]["inputs"][1]["arg"] = as_tensor("x");
  inferred.values()["x"] = meta(7, {4});
  expect_error(inferred, "F8-9901", "fake linear wants matrices");
}

TEST(Pt2, NodesWithoutNamesAreNamedAfterTheirResult) {
  Sample sample;
  for (json& n : sample.nodes()) n.erase("name");
  const auto program = read_sample(sample);
  EXPECT_READS(program);
  EXPECT_EQ(program->nodes[1].name, "linear");
  EXPECT_EQ(program->nodes[1].place().node, "linear");
}

// ---- Real exports ------------------------------------------------------------------------------------------------

std::filesystem::path recorded() { return source_dir() / "tests" / "data" / "pt2"; }

std::filesystem::path models() {
  const char* folder = std::getenv("FOLD8_MODELS");
  return folder == nullptr ? "" : folder;
}

// Whatever it holds, the archive is understood: nothing but ops that the fakes do not know may be missing.
void expect_understood(const std::filesystem::path& path, const pt2::Options& options) {
  const auto program = pt2::read(path, fake_ops(), options);
  for (const Diag& diag : program.errors()) EXPECT_EQ(diag.code, "F8-0115") << format(diag);
}

// With the ops that fold8 has: all but those that are there to be refused.
TEST(Pt2Real, RecordedArchives) {
  if (!std::filesystem::is_directory(recorded())) GTEST_SKIP() << "no recorded archives in " << recorded();
  const std::map<std::string, std::vector<std::string>> kRefused = {{"dynamic_batch", {"F8-0109"}},
                                                                    {"unsupported_ops", {"F8-0115", "F8-0115"}}};
  for (const auto& entry : std::filesystem::directory_iterator(recorded())) {
    if (entry.path().extension() != ".pt2") continue;
    const auto program = pt2::read(entry.path(), ops::table(), {});
    const auto refused = kRefused.find(entry.path().stem().string());
    if (refused == kRefused.end()) {
      // An op may have its own reasons to refuse; the reader has none.
      for (const Diag& diag : program.errors()) EXPECT_FALSE(diag.code.starts_with("F8-01")) << format(diag);
      continue;
    }
    std::vector<std::string> codes;
    for (const Diag& diag : program.errors()) codes.push_back(diag.code);
    EXPECT_EQ(codes, refused->second) << entry.path();
  }
  const auto bound = pt2::read(recorded() / "dynamic_batch.pt2", ops::table(), {{{"s77", 3}}});
  EXPECT_READS(bound);
  EXPECT_EQ(bound->type(bound->inputs[0]).shape[0], 3);
}

TEST(Pt2Real, TinyLinear) {
  const auto path = models() / "format" / "tiny_linear_int8.pt2";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "set FOLD8_MODELS to a folder of exported models";
  const auto program = pt2::read(path, fake_ops(), {});
  EXPECT_READS(program);
  EXPECT_EQ(program->nodes.size(), 8U);
  const auto weight = bytes_of(*program, "_frozen_param0");
  ASSERT_EQ(weight.size(), 12U);
  EXPECT_EQ(weight[0], -127);
  EXPECT_EQ(weight[11], 0x26);
  EXPECT_EQ((*program)[program->find("_frozen_param1")].constant->as<int32_t>()[2], -2578);
  EXPECT_EQ(program->nodes[5].place().source_file, "annot.py");
}

TEST(Pt2Real, EveryModel) {
  if (models().empty()) GTEST_SKIP() << "set FOLD8_MODELS to a folder of exported models";
  const std::map<std::string, const char*> kRefused = {{"qlin_torch26.pt2", "F8-0103"},
                                                       {"qlin_torch28.pt2", "F8-0103"},
                                                       {"rnn_buffer_functional.pt2", "F8-0114"},
                                                       {"rnn_gru_buffer_float.pt2", "F8-0114"},
                                                       {"rnn_gru_buffer_int8.pt2", "F8-0114"}};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(models())) {
    if (entry.path().extension() != ".pt2") continue;
    const std::string name = entry.path().filename().string();
    const bool batch = name.find("dynbatch") != std::string::npos;
    if (const auto refused = kRefused.find(name); refused != kRefused.end()) {
      const auto program = pt2::read(entry.path(), fake_ops(), {});
      ASSERT_FALSE(program) << name;
      bool seen = false;
      for (const Diag& diag : program.errors()) seen = seen || diag.code == refused->second;
      EXPECT_TRUE(seen) << name << "\n" << format(program.errors());
      continue;
    }
    expect_understood(entry.path(), batch ? pt2::Options{{{"s77", 1}}} : pt2::Options{});
    if (!batch) continue;
    const auto open = pt2::read(entry.path(), fake_ops(), {});
    ASSERT_FALSE(open) << name;
    EXPECT_EQ(open.errors().front().code, "F8-0109");
  }
}

}  // namespace
}  // namespace fold8

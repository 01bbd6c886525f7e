"""The messages of ONNX and their fields, by the names and numbers of onnx.proto, as far as they are looked into.

Source: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. The number of a field never changes.
"""

from collections.abc import Mapping


class Proto:
    """A kind of message; its constants are the numbers of fields."""


class Unread(Proto):
    """Any kind whose fields tell nothing that is asked for."""


class ModelProto(Proto):
    GRAPH, OPSET_IMPORT, METADATA_PROPS, TRAINING_INFO, FUNCTIONS, CONFIGURATION = 7, 8, 14, 20, 25, 26


class GraphProto(Proto):
    NODE, INITIALIZER, INPUT, OUTPUT, VALUE_INFO = 1, 5, 11, 12, 13
    QUANTIZATION_ANNOTATION, SPARSE_INITIALIZER, METADATA_PROPS = 14, 15, 16


class FunctionProto(Proto):
    NODE, OPSET_IMPORT, ATTRIBUTE_PROTO, VALUE_INFO, METADATA_PROPS = 7, 9, 11, 12, 14


class TrainingInfoProto(Proto):
    INITIALIZATION, ALGORITHM, INITIALIZATION_BINDING, UPDATE_BINDING = 1, 2, 3, 4


class NodeProto(Proto):
    OP_TYPE, ATTRIBUTE, DOMAIN, METADATA_PROPS, DEVICE_CONFIGURATIONS = 4, 5, 7, 9, 10


class AttributeProto(Proto):
    F, I, T, G, FLOATS, INTS, TENSORS, GRAPHS = 2, 3, 5, 6, 7, 8, 10, 11  # noqa: E741 - onnx.proto's own name
    TP, TYPE_PROTOS, SPARSE_TENSOR, SPARSE_TENSORS = 14, 15, 22, 23


class TensorProto(Proto):
    DIMS, DATA_TYPE, SEGMENT, FLOAT_DATA, INT32_DATA = 1, 2, 3, 4, 5
    NAME, RAW_DATA, DOUBLE_DATA, EXTERNAL_DATA, METADATA_PROPS = 8, 9, 10, 13, 16


class SparseTensorProto(Proto):
    VALUES, INDICES = 1, 2


class ValueInfoProto(Proto):
    NAME, TYPE, METADATA_PROPS = 1, 2, 4


class TypeProto(Proto):
    TENSOR_TYPE, SEQUENCE_TYPE, MAP_TYPE, OPAQUE_TYPE, SPARSE_TENSOR_TYPE, OPTIONAL_TYPE = 1, 4, 5, 7, 8, 9


class TensorType(Proto):
    """TypeProto.Tensor, and TypeProto.SparseTensor, which has the same fields."""

    ELEM_TYPE, SHAPE = 1, 2


class ElementType(Proto):
    """TypeProto.Sequence and TypeProto.Optional."""

    ELEM_TYPE = 1


class MapType(Proto):
    """TypeProto.Map."""

    KEY_TYPE, VALUE_TYPE = 1, 2


class TensorShapeProto(Proto):
    DIM = 1


class Dimension(Proto):
    """TensorShapeProto.Dimension."""

    DIM_VALUE, DIM_PARAM = 1, 2


class OperatorSetIdProto(Proto):
    DOMAIN, VERSION = 1, 2


class StringStringEntryProto(Proto):
    KEY, VALUE = 1, 2


MESSAGES: Mapping[type[Proto], Mapping[int, type[Proto]]] = {
    ModelProto: {
        ModelProto.GRAPH: GraphProto,
        ModelProto.OPSET_IMPORT: OperatorSetIdProto,
        ModelProto.METADATA_PROPS: StringStringEntryProto,
        ModelProto.TRAINING_INFO: TrainingInfoProto,
        ModelProto.FUNCTIONS: FunctionProto,
        ModelProto.CONFIGURATION: Unread,
    },
    GraphProto: {
        GraphProto.NODE: NodeProto,
        GraphProto.INITIALIZER: TensorProto,
        GraphProto.INPUT: ValueInfoProto,
        GraphProto.OUTPUT: ValueInfoProto,
        GraphProto.VALUE_INFO: ValueInfoProto,
        GraphProto.QUANTIZATION_ANNOTATION: Unread,
        GraphProto.SPARSE_INITIALIZER: SparseTensorProto,
        GraphProto.METADATA_PROPS: StringStringEntryProto,
    },
    FunctionProto: {
        FunctionProto.NODE: NodeProto,
        FunctionProto.OPSET_IMPORT: OperatorSetIdProto,
        FunctionProto.ATTRIBUTE_PROTO: AttributeProto,
        FunctionProto.VALUE_INFO: ValueInfoProto,
        FunctionProto.METADATA_PROPS: StringStringEntryProto,
    },
    TrainingInfoProto: {
        TrainingInfoProto.INITIALIZATION: GraphProto,
        TrainingInfoProto.ALGORITHM: GraphProto,
        TrainingInfoProto.INITIALIZATION_BINDING: StringStringEntryProto,
        TrainingInfoProto.UPDATE_BINDING: StringStringEntryProto,
    },
    NodeProto: {
        NodeProto.ATTRIBUTE: AttributeProto,
        NodeProto.METADATA_PROPS: StringStringEntryProto,
        NodeProto.DEVICE_CONFIGURATIONS: Unread,
    },
    AttributeProto: {
        AttributeProto.T: TensorProto,
        AttributeProto.G: GraphProto,
        AttributeProto.TENSORS: TensorProto,
        AttributeProto.GRAPHS: GraphProto,
        AttributeProto.TP: TypeProto,
        AttributeProto.TYPE_PROTOS: TypeProto,
        AttributeProto.SPARSE_TENSOR: SparseTensorProto,
        AttributeProto.SPARSE_TENSORS: SparseTensorProto,
    },
    TensorProto: {
        TensorProto.SEGMENT: Unread,
        TensorProto.EXTERNAL_DATA: StringStringEntryProto,
        TensorProto.METADATA_PROPS: StringStringEntryProto,
    },
    SparseTensorProto: {SparseTensorProto.VALUES: TensorProto, SparseTensorProto.INDICES: TensorProto},
    ValueInfoProto: {ValueInfoProto.TYPE: TypeProto, ValueInfoProto.METADATA_PROPS: StringStringEntryProto},
    TypeProto: {
        TypeProto.TENSOR_TYPE: TensorType,
        TypeProto.SEQUENCE_TYPE: ElementType,
        TypeProto.MAP_TYPE: MapType,
        TypeProto.OPAQUE_TYPE: Unread,
        TypeProto.SPARSE_TENSOR_TYPE: TensorType,
        TypeProto.OPTIONAL_TYPE: ElementType,
    },
    TensorType: {TensorType.SHAPE: TensorShapeProto},
    ElementType: {ElementType.ELEM_TYPE: TypeProto},
    MapType: {MapType.VALUE_TYPE: TypeProto},
    TensorShapeProto: {TensorShapeProto.DIM: Dimension},
}
"""What the fields hold that hold messages."""


class DataType:
    """TensorProto.DataType."""

    FLOAT, UINT8, INT8, UINT16, INT16, INT32, INT64, STRING, BOOL = range(1, 10)
    FLOAT16, DOUBLE, UINT32, UINT64, COMPLEX64, COMPLEX128, BFLOAT16 = range(10, 17)


NUMPY_DTYPES: Mapping[int, str] = {
    DataType.FLOAT: "float32",
    DataType.UINT8: "uint8",
    DataType.INT8: "int8",
    DataType.UINT16: "uint16",
    DataType.INT16: "int16",
    DataType.INT32: "int32",
    DataType.INT64: "int64",
    DataType.BOOL: "bool",
    DataType.FLOAT16: "float16",
    DataType.DOUBLE: "float64",
    DataType.UINT32: "uint32",
    DataType.UINT64: "uint64",
}

"""Prints every tensor of a safetensors file: name, type, shape, values. Independent of the library."""
import json
import struct
import sys

import numpy

TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}

with open(sys.argv[1], "rb") as file:
    (length,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(length).decode("utf-8"))
    data = file.read()

for name, value in sorted(header.pop("__metadata__", {}).items()):
    print(ascii(name), ascii(value))
for name, tensor in header.items():
    begin, end = tensor["data_offsets"]
    values = numpy.frombuffer(data[begin:end], dtype=TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    print(name, values.dtype.name, list(values.shape), *(format(float(value), ".17g") for value in values.flat))

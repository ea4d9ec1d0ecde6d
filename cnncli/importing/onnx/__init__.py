"""ONNX models as flat lists of operations."""

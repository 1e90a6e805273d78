"""Files to take away: packed file, ONNX model, Hugging Face folder, and a snippet that predicts."""

//! GGUF language and vision models through llama.cpp, in a child process whose exit returns all memory.

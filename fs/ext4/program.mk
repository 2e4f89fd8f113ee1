LIBS := block gpt ring

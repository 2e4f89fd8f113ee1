LIBS := block ring

LIBS := tool

LIBS := ring

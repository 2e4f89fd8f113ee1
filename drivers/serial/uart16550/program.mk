LIBS := driver

LIBS := driver font term
GENERATED := font/table.c

LIBS :=

LIBS := tool
# The same program, which does what it is called by.
NAMES := prof

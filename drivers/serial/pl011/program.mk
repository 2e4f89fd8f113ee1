LIBS := console driver

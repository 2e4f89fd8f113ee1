LIBS := devicetree

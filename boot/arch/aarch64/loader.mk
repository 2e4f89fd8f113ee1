LOADER_TARGET := aarch64-unknown-windows
LOADER_CFLAGS := -mgeneral-regs-only
LOADER_LINK = lld-link-$(LLVM) -subsystem:efi_application -entry:efi_main -nodefaultlib -Brepro -out:$@ $(filter %.o,$^)

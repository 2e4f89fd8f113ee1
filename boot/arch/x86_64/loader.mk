LOADER_TARGET := x86_64-unknown-windows
LOADER_CFLAGS := -mno-red-zone
LOADER_LINK = lld-link-$(LLVM) -subsystem:efi_application -entry:efi_main -nodefaultlib -Brepro -out:$@ $(filter %.o,$^)

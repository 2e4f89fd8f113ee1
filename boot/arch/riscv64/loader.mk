LOADER_TARGET := riscv64-linux-gnu
LOADER_CFLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-relax -fpie -fdirect-access-external-data
LOADER_LINK = $(LD) -nostdlib -pie --no-dynamic-linker -z norelro --hash-style=sysv --build-id=none -T boot/arch/riscv64/loader.ld $(filter %.o,$^) -o $@.elf && \
              $(OBJCOPY) -O binary -j .header -j .text -j .rodata -j .data -j .archive -j .cmdline -j .kernel $@.elf $@
$(EFI_IMAGE): boot/arch/riscv64/loader.ld

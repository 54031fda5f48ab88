import type { SeccompArchitectureName } from './architecture-names.ts'
import { aarch64Syscalls } from './syscalls/aarch64.ts'
import { armSyscalls } from './syscalls/arm.ts'
import { loongarch64Syscalls } from './syscalls/loongarch64.ts'
import { mipsSyscalls } from './syscalls/mips.ts'
import { mips64Syscalls } from './syscalls/mips64.ts'
import { mips64n32Syscalls } from './syscalls/mips64n32.ts'
import { ppcSyscalls } from './syscalls/ppc.ts'
import { ppc64Syscalls } from './syscalls/ppc64.ts'
import { riscv64Syscalls } from './syscalls/riscv64.ts'
import { s390Syscalls } from './syscalls/s390.ts'
import { s390xSyscalls } from './syscalls/s390x.ts'
import { x32Syscalls } from './syscalls/x32.ts'
import { x86Syscalls } from './syscalls/x86.ts'
import { x86_64Syscalls } from './syscalls/x86-64.ts'

/** Facts about an architecture that the filter needs. */
export interface SeccompArchitecture {
  /** `AUDIT_ARCH_*` of linux/audit.h, which the kernel puts into `seccomp_data.arch`. */
  readonly audit: number
  /** The number of bits of an argument that a rule compares, as in libseccomp: 32 for x32. */
  readonly bits: 32 | 64
  readonly isBigEndian: boolean
  /** Its system calls, in the form of `parseSyscallTable`. */
  readonly table: () => string
  /** The numbers of socketcall(2) and ipc(2), through which other system calls are made, if the architecture has them. */
  readonly multiplexers?: { readonly socketcall: number; readonly ipc: number }
  /** Set when two architectures have its `AUDIT_ARCH`: bit 30 of the number distinguishes them. */
  readonly sharesNumbers?: true
  /** The bit that is set in each of its numbers. */
  readonly numberBit?: number
  /** The number that the kernel shows for an unknown system call, if that is not the number itself. */
  readonly unknownCall?: number
}

/** Bit 30 marks the system calls of x32, which shares its `AUDIT_ARCH` with x86_64 (asm/unistd.h). */
export const x32Bit: number = 0x40000000

const little = { isBigEndian: false } as const
const big = { isBigEndian: true } as const
const x86Calls = { socketcall: 102, ipc: 117 } as const
const x32Numbers = { sharesNumbers: true, numberBit: x32Bit } as const
const mipsCalls = { socketcall: 4102, ipc: 4117 } as const

/** The architectures of libseccomp that runc knows, by the names of the runtime specification. */
export const seccompArchitectures: Readonly<Record<SeccompArchitectureName, SeccompArchitecture>> = {
  SCMP_ARCH_X86: { audit: 0x40000003, bits: 32, ...little, table: x86Syscalls, multiplexers: x86Calls },
  SCMP_ARCH_X86_64: { audit: 0xc000003e, bits: 64, ...little, table: x86_64Syscalls, sharesNumbers: true },
  SCMP_ARCH_X32: { audit: 0xc000003e, bits: 32, ...little, table: x32Syscalls, ...x32Numbers },
  SCMP_ARCH_ARM: { audit: 0x40000028, bits: 32, ...little, table: armSyscalls },
  SCMP_ARCH_AARCH64: { audit: 0xc00000b7, bits: 64, ...little, table: aarch64Syscalls },
  SCMP_ARCH_LOONGARCH64: { audit: 0xc0000102, bits: 64, ...little, table: loongarch64Syscalls },
  SCMP_ARCH_MIPS: { audit: 0x00000008, bits: 32, ...big, table: mipsSyscalls, multiplexers: mipsCalls },
  SCMP_ARCH_MIPS64: { audit: 0x80000008, bits: 64, ...big, table: mips64Syscalls },
  SCMP_ARCH_MIPS64N32: { audit: 0xa0000008, bits: 32, ...big, table: mips64n32Syscalls },
  SCMP_ARCH_MIPSEL: { audit: 0x40000008, bits: 32, ...little, table: mipsSyscalls, multiplexers: mipsCalls },
  SCMP_ARCH_MIPSEL64: { audit: 0xc0000008, bits: 64, ...little, table: mips64Syscalls },
  SCMP_ARCH_MIPSEL64N32: { audit: 0xe0000008, bits: 32, ...little, table: mips64n32Syscalls },
  SCMP_ARCH_PPC: { audit: 0x00000014, bits: 32, ...big, table: ppcSyscalls, multiplexers: x86Calls },
  SCMP_ARCH_PPC64: { audit: 0x80000015, bits: 64, ...big, table: ppc64Syscalls, multiplexers: x86Calls },
  SCMP_ARCH_PPC64LE: { audit: 0xc0000015, bits: 64, ...little, table: ppc64Syscalls, multiplexers: x86Calls },
  SCMP_ARCH_RISCV64: { audit: 0xc00000f3, bits: 64, ...little, table: riscv64Syscalls },
  SCMP_ARCH_S390: { audit: 0x00000016, bits: 32, ...big, table: s390Syscalls, multiplexers: x86Calls, unknownCall: 0 },
  SCMP_ARCH_S390X: {
    audit: 0x80000016,
    bits: 64,
    ...big,
    table: s390xSyscalls,
    multiplexers: x86Calls,
    unknownCall: 0,
  },
}

/** The architecture of a host by its `process.arch`; undefined if filters for it are not supported. */
export function nativeArchitecture(arch: string): SeccompArchitectureName | undefined {
  return nativeNames.get(arch)
}

const nativeNames: ReadonlyMap<string, SeccompArchitectureName> = new Map([
  ['x64', 'SCMP_ARCH_X86_64'],
  ['ia32', 'SCMP_ARCH_X86'],
  ['arm64', 'SCMP_ARCH_AARCH64'],
  ['arm', 'SCMP_ARCH_ARM'],
  ['loong64', 'SCMP_ARCH_LOONGARCH64'],
  ['ppc64', 'SCMP_ARCH_PPC64LE'],
  ['riscv64', 'SCMP_ARCH_RISCV64'],
  ['s390x', 'SCMP_ARCH_S390X'],
])

/** The architectures that engines name in profiles for a host. */
export function familyOf(arch: string): readonly SeccompArchitectureName[] {
  const native = nativeArchitecture(arch)
  if (native === 'SCMP_ARCH_X86_64') return [native, 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']
  if (native === 'SCMP_ARCH_AARCH64') return [native, 'SCMP_ARCH_ARM']
  return native === undefined ? [] : [native]
}

/** The names of the runtime specification for architectures of which libseccomp and runc know the system calls. */
export const seccompArchitectureNames = [
  'SCMP_ARCH_X86',
  'SCMP_ARCH_X86_64',
  'SCMP_ARCH_X32',
  'SCMP_ARCH_ARM',
  'SCMP_ARCH_AARCH64',
  'SCMP_ARCH_LOONGARCH64',
  'SCMP_ARCH_MIPS',
  'SCMP_ARCH_MIPS64',
  'SCMP_ARCH_MIPS64N32',
  'SCMP_ARCH_MIPSEL',
  'SCMP_ARCH_MIPSEL64',
  'SCMP_ARCH_MIPSEL64N32',
  'SCMP_ARCH_PPC',
  'SCMP_ARCH_PPC64',
  'SCMP_ARCH_PPC64LE',
  'SCMP_ARCH_RISCV64',
  'SCMP_ARCH_S390',
  'SCMP_ARCH_S390X',
] as const

export type SeccompArchitectureName = (typeof seccompArchitectureNames)[number]

/** True when a profile's name of an architecture is known. */
export function isArchitectureName(name: string): name is SeccompArchitectureName {
  return (seccompArchitectureNames as readonly string[]).includes(name)
}

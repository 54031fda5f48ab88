import { OciError } from '../errors.ts'

/**
 * The platform that a program was built for, with Go's names (GOOS, GOARCH).
 *
 * @see image-spec v1.1.1 image-index.md "platform"
 */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string | undefined
  readonly 'os.version'?: string | undefined
  readonly 'os.features'?: readonly string[] | undefined
}

/** Go's architecture and variant for names that other systems use. */
const aliases: Readonly<Record<string, Pick<Platform, 'architecture' | 'variant'>>> = {
  x64: { architecture: 'amd64' },
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  i386: { architecture: '386' },
  ia32: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  mipsel: { architecture: 'mipsle' },
  mips64el: { architecture: 'mips64le' },
  loong64: { architecture: 'loong64' },
  ppc64el: { architecture: 'ppc64le' },
}

/**
 * Parses `OS/ARCH[/VARIANT]`; `ARCH` may be a name that another system uses.
 *
 * @throws OciError `ERR_USAGE` for anything else
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/')
  const [os = '', architecture = '', variant] = parts
  if (parts.length < 2 || parts.length > 3 || !parts.every((part) => /^[a-z0-9][a-z0-9._-]*$/.test(part))) {
    throw new OciError('ERR_USAGE', `"${text}" is not a platform`, {
      hint: 'write OS/ARCH[/VARIANT], as in linux/arm64',
    })
  }
  return normalizePlatform({ os, architecture, ...(variant !== undefined && { variant }) })
}

/** Formats a platform as `OS/ARCH[/VARIANT]`; `unknown` stands for what it does not say. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  const name = `${os || 'unknown'}/${architecture || 'unknown'}`
  return variant === undefined ? name : `${name}/${variant}`
}

/**
 * The platform of this host.
 *
 * @param host `process.arch` and, for 32-bit ARM, `process.config.variables.arm_version`
 */
export function hostPlatform(host: { readonly arch: string; readonly armVersion?: string | undefined }): Platform {
  const variant = host.arch === 'arm' && host.armVersion !== undefined ? `v${host.armVersion}` : undefined
  const little = host.arch === 'ppc64' ? 'ppc64le' : host.arch
  return normalizePlatform({ os: 'linux', architecture: little, ...(variant !== undefined && { variant }) })
}

/** Converts names that other systems use to Go's, in lower case, and a variant such as `7` to `v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase()
  const name = platform.architecture.toLowerCase()
  const known = Object.hasOwn(aliases, name) ? aliases[name] : undefined
  const variant = platform.variant || known?.variant
  const { variant: _dropped, ...rest } = platform
  const variantWord = variant === undefined ? undefined : /^\d/.test(variant) ? `v${variant}` : variant.toLowerCase()
  return {
    ...rest,
    os,
    architecture: known?.architecture ?? name,
    ...(variantWord !== undefined && { variant: variantWord }),
  }
}

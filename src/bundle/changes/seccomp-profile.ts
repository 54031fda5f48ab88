import { constants } from 'node:os'
import { isJsonObject, type JsonObject, JsonSyntaxError, parseExactJson } from '../../oci/json.ts'
import { checkJsonLimits } from '../../oci/json-limits.ts'
import { seccomp } from '../../oci/runtime-config/seccomp.ts'
import type { Seccomp } from '../../oci/runtime-config.ts'
import { parseBy } from '../../oci/schema.ts'
import { refusal } from './flag.ts'
import type { Platform } from './outside.ts'
import { ownSeccompProfile } from './own-seccomp-profile.ts'

export interface SeccompProfile {
  /** The filter for a machine and a container with these capabilities. */
  readonly filter: (platform: Platform, capabilities: readonly string[]) => Seccomp
}

/** The names that profiles of engines have for architectures. */
const architectures: Readonly<Record<string, readonly [name: string, audit: string]>> = {
  x64: ['amd64', 'SCMP_ARCH_X86_64'],
  arm64: ['arm64', 'SCMP_ARCH_AARCH64'],
}

/**
 * Reads a seccomp profile: `linux.seccomp` of a config.json, or one of docker and podman, in which rules are for
 * architectures, kernels and capabilities.
 *
 * @throws OciError `ERR_USAGE`
 */
export function parseSeccompProfile(text: string): SeccompProfile {
  return profileOf(parseDocument(text))
}

/** The profile that engines on this host have (`text`), or else the tool's own. @throws OciError `ERR_USAGE` */
export const defaultSeccompProfile = (text: string | undefined): SeccompProfile =>
  text === undefined ? profileOf(ownSeccompProfile()) : parseSeccompProfile(text)

function profileOf(document: JsonObject): SeccompProfile {
  return {
    filter: (platform, capabilities) => {
      const result = parseBy(seccomp(), forMachine(document, platform, capabilities))
      if (result.kind === 'valid') return result.value
      const problems = result.problems.map(({ pointer, message }) => `${pointer || '/'} ${message}`)
      throw refusal(`it is no seccomp profile: ${problems.join('; ')}`)
    },
  }
}

function parseDocument(text: string): JsonObject {
  try {
    checkJsonLimits(text)
    const document = parseExactJson(text)
    if (isJsonObject(document)) return document
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    throw refusal(`the profile is not JSON: ${error.message}`)
  }
  throw refusal('the profile is no JSON object')
}

function forMachine(
  { archMap, defaultErrno, ...profile }: JsonObject,
  { architecture, kernel }: Platform,
  capabilities: readonly string[],
): JsonObject {
  const [name = '', audit = ''] = architectures[architecture] ?? []
  const mapped = listOf(archMap).find((entry) => entry.architecture === audit)
  const own = mapped && [audit, ...(Array.isArray(mapped.subArchitectures) ? mapped.subArchitectures : [])]
  const facts = { architecture: name, kernel, capabilities }
  const syscalls = listOf(profile.syscalls)
    .filter((rule) => applies(rule, facts))
    .map(plainRule)
  const errno = errnoOf(defaultErrno)
  return {
    ...(errno !== undefined && { defaultErrnoRet: errno }),
    ...profile,
    ...(own && { architectures: own }),
    ...('syscalls' in profile && { syscalls }),
  }
}

interface RuleFacts {
  readonly architecture: string
  readonly kernel: string
  readonly capabilities: readonly string[]
}

function applies({ includes = {}, excludes = {} }: JsonObject, facts: RuleFacts): boolean {
  const [wanted, unwanted] = [includes, excludes].map((value) => (isJsonObject(value) ? value : {}))
  const has = (value: unknown, name: string): boolean => Array.isArray(value) && value.includes(name)
  const [arches, caps] = [wanted?.arches, wanted?.caps]
  if (has(unwanted?.arches, facts.architecture)) return false
  if (facts.capabilities.some((name) => has(unwanted?.caps, name))) return false
  if (typeof unwanted?.minKernel === 'string' && isAtLeast(facts.kernel, unwanted.minKernel)) return false
  if (Array.isArray(arches) && arches.length > 0 && !has(arches, facts.architecture)) return false
  if (Array.isArray(caps) && !caps.every((name) => facts.capabilities.includes(String(name)))) return false
  return typeof wanted?.minKernel !== 'string' || isAtLeast(facts.kernel, wanted.minKernel)
}

function isAtLeast(kernel: string, least: string): boolean {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [kernel, least].map((text) =>
    text.split(/[.-]/).map(Number),
  ) as [number[], number[]]
  return major > leastMajor || (major === leastMajor && minor >= leastMinor)
}

/** A rule without what only engines read; a name alone, and an error by its name, in the words of config.json. */
function plainRule({ includes: _, excludes: __, comment: ___, name, errno, ...rule }: JsonObject): JsonObject {
  const number = errnoOf(errno)
  return {
    ...rule,
    ...(name !== undefined && { names: [name] }),
    ...(number !== undefined && rule.errnoRet === undefined && { errnoRet: number }),
  }
}

/** The number of an error that a profile has by its name; an empty name is none. */
function errnoOf(name: unknown): number | undefined {
  if (typeof name !== 'string' || name === '') return undefined
  const found = Object.entries(constants.errno).find(([one]) => one === name)
  if (found === undefined) throw refusal(`there is no error "${name}"`)
  return found[1]
}

const listOf = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : [])

import type { Command } from 'commander'
import { exactText, printable } from '../text.ts'
import type { Inspection } from '../verbs/image/inspect.ts'
import { formatBytes } from './columns.ts'
import { type CommandContext, newCommand } from './context.ts'
import { withFormat } from './format.ts'
import { type RegistryFlags, registryOptions, withRegistryOptions } from './registry-options.ts'

interface InspectFlags extends RegistryFlags {
  readonly platform?: string
  readonly raw?: boolean
  readonly config?: boolean
}

/** `inspect`: what an image is. */
export function inspectCommand(context: CommandContext): Command {
  const command = newCommand(context, {
    name: 'inspect',
    usage: '[command options] <image>',
    description: `Shows the digest, the platforms, the layers and the settings of an image. IMAGE is
one of a registry, or any place that "bundle-tool copy" reads from.

EXAMPLES:
    bundle-tool inspect alpine:3.20
    bundle-tool inspect --json --platform linux/arm64 alpine:3.20
    bundle-tool inspect --raw oci:images:alpine
    bundle-tool inspect --config alpine:3.20 | jq .config.Env`,
  })
  const json = 'a JSON object, manifest and image config included'
  return withFormat(withRegistryOptions(command), { plain: 'text', json })
    .argument('<image>')
    .option('--platform <os/arch>', 'which image of several, as os/arch or os/arch/variant (default: for this host)')
    .option('--raw', 'print the manifest or index as it is, byte for byte')
    .option('--config', 'print the image config as it is, byte for byte')
    .action(async (image: string, flags: InspectFlags) => {
      const { inspect, inspectConfig, inspectRaw } = await import('../verbs/image/inspect.ts')
      const { stdin, stdout, interruption } = context.io
      const { platform } = flags
      const options = { ...registryOptions(context, flags), stdin, signal: interruption() }
      if (flags.raw || flags.config) {
        const raw = await (flags.config ? inspectConfig(image, { ...options, platform }) : inspectRaw(image, options))
        return void (stdout.isTTY ? stdout.write(exactText(raw)) : await context.io.writeBytes(raw))
      }
      context.print(await inspect(image, { ...options, platform }), describe)
    })
}

function describe({ name, digest, mediaType, platforms, image }: Inspection): string {
  const lines = [`name:       ${name}`, `digest:     ${digest}`, `type:       ${mediaType}`]
  lines.push(`platforms:  ${platforms.join(', ')}`)
  if (image === undefined) return joined(lines)
  const { created, config = {} } = image.config
  lines.push(`image:      ${image.digest} (${image.platform})`)
  if (created !== undefined) lines.push(`created:    ${created}`)
  const settings: readonly (readonly [string, unknown])[] = [
    ['user', config.User || undefined],
    ['workdir', config.WorkingDir || undefined],
    ['entrypoint', config.Entrypoint],
    ['command', config.Cmd],
    ['env', config.Env],
    ['volumes', config.Volumes && Object.keys(config.Volumes)],
    ['ports', config.ExposedPorts && Object.keys(config.ExposedPorts)],
    ['labels', config.Labels],
  ]
  for (const [label, value] of settings) {
    if (value !== undefined) lines.push(`${`${label}:`.padEnd(12)}${JSON.stringify(value)}`)
  }
  lines.push(`layers:     ${image.layers.length}, ${formatBytes(image.size)}`)
  for (const layer of image.layers) lines.push(`  ${layer.digest}  ${formatBytes(layer.size)}`)
  return joined(lines)
}

const joined = (lines: readonly string[]): string => lines.map((line) => `${printable(line)}\n`).join('')

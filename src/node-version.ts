/** The oldest Node.js that runs all of this; `engines` of package.json says the same. */
const oldest = [20, 19] as const

/** The one sentence for a Node.js that is too old, else undefined. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return undefined
  return `bundle-tool needs Node.js ${oldest.join('.')} or newer, and this is ${version}: install a newer one from https://nodejs.org`
}

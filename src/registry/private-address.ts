/** True when the host of a URL is `localhost` or an IP literal of this machine or of a private network. */
export function isPrivateAddress(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '')
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  if (host.includes(':')) return /^(::1?$|f[cd]|fe[89ab]|::ffff:)/.test(host)
  return (
    /^(0|10|127|169\.254|172\.(1[6-9]|2\d|3[01])|192\.168|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(`${host}.`) &&
    /^\d+(\.\d+){3}$/.test(host)
  )
}

/** True when the host of a URL is this machine. */
export function isLoopback(hostname: string): boolean {
  return isPrivateAddress(hostname) && /^(localhost|127\.|\[?::1\]?$)/.test(hostname)
}

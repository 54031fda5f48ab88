import { execFileSync } from 'node:child_process'

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

/** Makes `ca.crt` of a private authority, and `server` and `client`, each `.key` and `.crt`, signed by it for 127.0.0.1. */
export function makeAuthority(directory: string): void {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Private CA', '-days', '30')
  for (const name of ['server', 'client']) {
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:registry.test']
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...names)
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copy', '-days', '30']
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, ...signed)
  }
}

import { OciError } from '../errors.ts'
import { isDigest } from '../oci/digest.ts'
import { connect } from './connection.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { discard } from './http.ts'
import type { Endpoint } from './registries-conf.ts'
import { statusOf } from './status-error.ts'

/**
 * Deletes a tag, or the manifest with a digest.
 *
 * A tag is never replaced by the digest that it stands for: deleting that would delete the manifest's other tags too.
 * @throws OciError `ERR_NOT_SUPPORTED` the registry does not delete such a thing; and as `Connection.send`
 * @see distribution-spec v1.1.1 "Content Management"
 */
export async function deleteManifest(endpoint: Endpoint, version: string, options: ConnectionOptions): Promise<void> {
  const connection = connect(endpoint, options)
  try {
    await discard(await connection.send({ method: 'DELETE', path: `manifests/${version}` }))
  } catch (error) {
    const status = statusOf(error)
    // Registries that delete by digest alone answer 405, or 400 as they take a tag for a wrong digest.
    if (!(error instanceof OciError) || !(status === 405 || (status === 400 && !isDigest(version)))) throw error
    throw new OciError('ERR_NOT_SUPPORTED', `${endpoint.registry} does not delete this: ${error.message}`, {
      hint: isDigest(version)
        ? 'deleting may have to be allowed in the configuration of the registry'
        : `name the digest, which deletes all tags of it: "bundle-tool digest" prints it`,
      cause: error,
    })
  } finally {
    await connection.close()
  }
}

import { expect, test } from 'vitest'
import { parseReference } from '../../src/oci/reference.ts'
import { isIdentityAccepted, type SignedIdentity } from '../../src/oci/signed-identity.ts'

const digest = `sha256:${'a'.repeat(64)}`
const other = `sha256:${'b'.repeat(64)}`
const remap: SignedIdentity = { type: 'remapIdentity', prefix: 'mirror.example/up', signedPrefix: 'up.example/team' }

test.each<[SignedIdentity, string, string, boolean]>([
  [{ type: 'matchExact' }, 'x.example/a:1', 'x.example/a:1', true],
  [{ type: 'matchExact' }, 'x.example/a:1', 'x.example/a:2', false],
  [{ type: 'matchExact' }, 'x.example/a:latest', 'x.example/a', false],
  [{ type: 'matchExact' }, `x.example/a@${digest}`, 'x.example/a:1', false],
  [{ type: 'matchExact' }, `x.example/a@${digest}`, `x.example/a@${digest}`, true],
  [{ type: 'matchExact' }, `x.example/a@${digest}`, `x.example/a@${other}`, false],
  [{ type: 'matchExact' }, 'busybox:1', 'docker.io/library/busybox:1', true],
  [{ type: 'matchRepoDigestOrExact' }, 'x.example/a:1', 'x.example/a:1', true],
  [{ type: 'matchRepoDigestOrExact' }, 'x.example/a:1', 'x.example/a:2', false],
  [{ type: 'matchRepoDigestOrExact' }, 'x.example/a:1', 'x.example/a', false],
  [{ type: 'matchRepoDigestOrExact' }, `x.example/a@${digest}`, 'x.example/a:2', true],
  [{ type: 'matchRepoDigestOrExact' }, `x.example/a:1@${digest}`, 'x.example/a:2', true],
  [{ type: 'matchRepoDigestOrExact' }, `x.example/a@${digest}`, 'x.example/a', false],
  [{ type: 'matchRepoDigestOrExact' }, `x.example/a@${digest}`, 'x.example/b:2', false],
  [{ type: 'matchRepository' }, 'x.example/a:1', 'x.example/a', true],
  [{ type: 'matchRepository' }, 'x.example/a:1', 'x.example/a/b:1', false],
  [{ type: 'matchRepository' }, 'x.example/a:1', 'not a name', false],
  [{ type: 'exactReference', dockerReference: 'y.example/z:3' }, 'x.example/a:1', 'y.example/z:3', true],
  [{ type: 'exactReference', dockerReference: 'y.example/z:3' }, 'x.example/a:1', 'y.example/z:4', false],
  [{ type: 'exactReference', dockerReference: 'y.example/z' }, 'x.example/a:1', 'y.example/z', false],
  [{ type: 'exactRepository', dockerRepository: 'y.example/z' }, 'x.example/a:1', 'y.example/z:4', true],
  [{ type: 'exactRepository', dockerRepository: 'y.example/z' }, 'x.example/a:1', 'x.example/a:1', false],
  [remap, 'mirror.example/up/app:1', 'up.example/team/app:1', true],
  [remap, 'mirror.example/up:1', 'up.example/team:1', true],
  [remap, `mirror.example/up/app@${digest}`, 'up.example/team/app:7', true],
  [remap, 'mirror.example/up/app:1', 'mirror.example/up/app:1', false],
  [remap, 'mirror.example/upper/app:1', 'up.example/teamper/app:1', false],
  [remap, 'elsewhere.example/app:1', 'elsewhere.example/app:1', true],
])('%j, %s, signed for %s: %s', (identity, image, signed, isAccepted) => {
  expect(isIdentityAccepted(identity, parseReference(image), signed)).toBe(isAccepted)
})

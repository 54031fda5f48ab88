import type { CopyResult } from '../../verbs/image/copy.ts'
import type { FileChange } from '../../verbs/image/diff.ts'
import type { ImageDigest } from '../../verbs/image/digest.ts'
import type { StoredImage } from '../../verbs/image/images.ts'
import type { Inspection } from '../../verbs/image/inspect.ts'
import type { Referrer, ReferrerList } from '../../verbs/image/list-referrers.ts'
import type { TagList } from '../../verbs/image/list-tags.ts'
import type { LoginResult } from '../../verbs/image/login.ts'
import type { LogoutResult } from '../../verbs/image/logout.ts'
import type { PruneResult } from '../../verbs/image/prune.ts'
import type { PullResult } from '../../verbs/image/pull.ts'
import type { RepackResult } from '../../verbs/image/repack.ts'
import type { TagResult } from '../../verbs/image/tag.ts'
import type { UnpackResult } from '../../verbs/image/unpack.ts'
import type { Verification } from '../../verbs/image/verify.ts'
import type { CommandShape } from './shape.ts'
import { any, array, map, number, object, optional, text } from './shape.ts'

const digest = `sha256:${'3f'.repeat(32)}`
const layer = `sha256:${'a4'.repeat(32)}`
const alpine = 'docker.io/library/alpine:3.20'

const copied = object<CopyResult>('the copy', {
  target: text('where the image is now: the full name in a registry, or the place as it was named'),
  digest: text('digest of what the name there stands for'),
})

const removal = object<PruneResult>('what is gone', {
  removed: array('digests of the blobs that were removed; with --remote the full name', text('a digest or a name')),
  bytes: number('bytes that were given back, unfinished downloads included; with --remote 0'),
})

/** The documents that the commands for images print, by the command's name. */
export const imageShapes: Readonly<Record<string, CommandShape>> = {
  pull: {
    shape: object<PullResult>('what was made', {
      reference: text('the full name of the image'),
      digest: text('digest of its manifest'),
      bundle: text('absolute path of the bundle'),
    }),
    example: {
      command: 'pull --json alpine:3.20 --out bundle',
      document: { reference: alpine, digest, bundle: '/srv/bundle' } satisfies PullResult,
    },
  },
  unpack: {
    shape: object<UnpackResult>('what was made', {
      image: text('what the image is called'),
      digest: optional(text('digest of its manifest, where the source has one')),
      bundle: text('absolute path of the bundle'),
    }),
    example: {
      command: 'unpack --json alpine.tar --out bundle',
      document: { image: 'alpine:3.20', digest, bundle: '/srv/bundle' } satisfies UnpackResult,
    },
  },
  inspect: {
    shape: object<Inspection>('an image', {
      name: text('what it is called'),
      digest: text('digest of what the name stands for: an index or a manifest'),
      mediaType: text('the media type of that'),
      platforms: array('what there is an image for', text('os/arch or os/arch/variant')),
      image: optional(
        object<NonNullable<Inspection['image']>>('the image for one platform, if there is one', {
          digest: text('digest of its manifest'),
          platform: text('os/arch or os/arch/variant'),
          manifest: any('the manifest, as image-spec has it'),
          config: any('the image config, as image-spec has it'),
          layers: array(
            'the lowest first',
            object<NonNullable<Inspection['image']>['layers'][number]>('a layer', {
              digest: text('digest of the blob'),
              size: number('bytes of the blob'),
              diffID: optional(text('digest of the uncompressed tar archive')),
            }),
          ),
          size: number('bytes of all layers as they are stored'),
        }),
      ),
    }),
    example: {
      command: 'inspect --json alpine:3.20',
      document: {
        name: alpine,
        digest,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        platforms: ['linux/amd64', 'linux/arm64/v8'],
        image: {
          digest,
          platform: 'linux/amd64',
          manifest: {},
          config: {},
          layers: [{ digest: layer, size: 3_623_807, diffID: layer }],
          size: 3_623_807,
        },
      },
    },
  },
  digest: {
    shape: object<ImageDigest>('what a name stands for', {
      name: text('what the image is called'),
      digest: text('digest of the index, or of the manifest'),
      mediaType: text('the media type of that'),
    }),
    example: {
      command: 'digest --json alpine:3.20',
      document: { name: alpine, digest, mediaType: 'application/vnd.oci.image.index.v1+json' } satisfies ImageDigest,
    },
  },
  'list-tags': {
    shape: object<TagList>('the tags', {
      repository: text('the full name of the repository, the layout or the archive'),
      tags: array("in the registry's order", text('a tag')),
    }),
    example: {
      command: 'list-tags --json alpine',
      document: { repository: 'docker.io/library/alpine', tags: ['3.19', '3.20'] } satisfies TagList,
    },
  },
  'list-referrers': {
    shape: object<ReferrerList>('what refers to an image', {
      subject: text('digest of the manifest or index that they refer to'),
      referrers: array(
        'the manifests that do',
        object<Referrer>('a manifest', {
          digest: text('its digest'),
          mediaType: text('its media type'),
          artifactType: optional(text('what it is')),
          size: number('its bytes'),
          annotations: optional(map('what is said of it', text('a value'))),
        }),
      ),
    }),
    example: {
      command: 'list-referrers --json ghcr.io/team/app:1',
      document: {
        subject: digest,
        referrers: [
          {
            digest: layer,
            mediaType: 'application/vnd.oci.image.manifest.v1+json',
            artifactType: 'application/spdx+json',
            size: 612,
          },
        ],
      } satisfies ReferrerList,
    },
  },
  copy: {
    shape: copied,
    example: {
      command: 'copy --json alpine:3.20 oci:images:alpine',
      document: { target: 'oci:images:alpine', digest } satisfies CopyResult,
    },
  },
  push: {
    shape: copied,
    example: {
      command: 'push --json --from oci:images:app localhost:5000/app:1',
      document: { target: 'localhost:5000/app:1', digest } satisfies CopyResult,
    },
  },
  images: {
    shape: array(
      'the newest first',
      object<StoredImage>('an image', {
        name: text('its full name'),
        digest: text('digest of its manifest'),
        platform: optional(text('os/arch or os/arch/variant')),
        size: number('bytes of its blobs; those that it shares count for each image'),
      }),
    ),
    example: {
      command: 'images --json',
      document: [{ name: alpine, digest, platform: 'linux/amd64', size: 3_625_288 }] satisfies StoredImage[],
    },
  },
  tag: {
    shape: object<TagResult>('the new name', {
      name: text('the full new name'),
      digest: text('digest of the manifest that it stands for'),
    }),
    example: {
      command: 'tag --json alpine:3.20 localhost:5000/alpine:3.20',
      document: { name: 'localhost:5000/alpine:3.20', digest } satisfies TagResult,
    },
  },
  rmi: {
    shape: removal,
    example: {
      command: 'rmi --json alpine:3.20',
      document: { removed: [digest, layer], bytes: 3_625_288 } satisfies PruneResult,
    },
  },
  prune: {
    shape: removal,
    example: { command: 'prune --json', document: { removed: [], bytes: 0 } satisfies PruneResult },
  },
  verify: {
    shape: object<Verification>('what was found', {
      blobs: number('how many blobs were read'),
      bytes: number('their bytes'),
      problems: array('what is wrong; the exit code is 1 if there is any', text('a sentence')),
    }),
    example: {
      command: 'verify --json',
      document: { blobs: 3, bytes: 3_625_288, problems: [] } satisfies Verification,
    },
  },
  login: {
    shape: object<LoginResult>('what was kept', {
      registry: text('the registry'),
      keptIn: text('the file or the credential helper'),
    }),
    example: {
      command: 'login --json -u me --password-stdin quay.io < password',
      document: { registry: 'quay.io', keptIn: '/root/.docker/config.json' } satisfies LoginResult,
    },
  },
  logout: {
    shape: object<LogoutResult>('what was removed', {
      registry: text('the registry'),
      removedFrom: array('where credentials were kept', text('a file or a credential helper')),
    }),
    example: {
      command: 'logout --json quay.io',
      document: { registry: 'quay.io', removedFrom: ['/root/.docker/config.json'] } satisfies LogoutResult,
    },
  },
  diff: {
    shape: array(
      'what is not as in the image, by path',
      object<FileChange>('a file', {
        kind: text('"added", "changed" or "deleted"'),
        path: text('where it is in the container'),
      }),
    ),
    example: {
      command: 'diff --json bundle',
      document: [
        { kind: 'changed', path: '/etc' },
        { kind: 'added', path: '/etc/hostname' },
      ] satisfies FileChange[],
    },
  },
  repack: {
    shape: object<RepackResult>('the new image', {
      image: text('its name, as oci:DIRECTORY:TAG'),
      digest: text('digest of its manifest'),
      layer: optional(
        object<Pick<NonNullable<RepackResult['layer']>, 'mediaType' | 'digest' | 'size'>>(
          'the new layer, where files differ',
          {
            mediaType: text('its media type'),
            digest: text('digest of the blob'),
            size: number('bytes of the blob'),
          },
        ),
      ),
    }),
    example: {
      command: 'repack --json bundle --image oci:images:demo',
      document: {
        image: 'oci:images:demo',
        digest,
        layer: { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layer, size: 4096 },
      },
    },
  },
}

declare const bundleToolBuild: string | undefined

/** The digest of all sources of a build, which the build's front has too; `none` where the sources run as they are. */
export const buildID: string = typeof bundleToolBuild === 'undefined' ? 'none' : bundleToolBuild

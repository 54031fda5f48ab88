/** The version of the runtime specification that this tool implements and writes into each config.json. */
export const runtimeSpecVersion = '1.3.0'

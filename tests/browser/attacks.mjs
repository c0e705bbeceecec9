export async function attacks() {}

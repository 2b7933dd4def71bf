"""Which version of an artifact is the newest, asked of the database of the server around us."""

from collections.abc import Sequence


async def artifact_ids(keys: Sequence[str]) -> dict[str, str]:
    """The id of the newest version of each artifact, by key; absent if there is none.

    The API would send the artifacts too, and the UI's page of a key loads all their versions.
    """
    from prefect.server.database import provide_database_interface
    from sqlalchemy import select

    database = provide_database_interface()
    newest = database.ArtifactCollection
    query = select(newest.key, newest.latest_id).where(newest.key.in_(keys))
    async with database.session_context() as session:
        return {key: str(found) for key, found in await session.execute(query)}

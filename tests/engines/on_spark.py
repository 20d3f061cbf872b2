"""A program of its own: two nights with a quarter between them, two more quarters and a last night,
on Spark, in one session. The first two nights are killed first, and then run. At last the visits as
the sources name them. The data tests are run on what all that leaves.

Started by test_spark.py in an empty folder, where Spark keeps its metastore and its tables. First
argument: JSON with `nights`, folders with the raw tables as Parquet, one for each of the first two;
`quarter` and `later_quarters`, dbt's arguments of what is written between and behind them;
`by_source`, those of the sources' visits; `common`, those of all runs; `written`, where the tables
go.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dbt.adapters.spark.session import Cursor
from pyspark.sql import SparkSession

from orchestration import spark as dbt_on_spark

FLOORS = ("seeds", "marts")


def session() -> SparkSession:
    """Spark for a few thousand rows, with a metastore in the working folder."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(Path.cwd() / "tables"),
    }
    builder = SparkSession.builder.master("local[2]").enableHiveSupport()
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def dbt(*args: str) -> None:
    if not dbt_on_spark.run(list(args)):
        sys.exit(f"dbt {' '.join(args)} failed on Spark")


def killed(statement: str, *args: str) -> None:
    """A run of dbt that is killed at the first statement that begins so: neither it nor any behind
    it is run. Of a table that it would have written the folder stays, unknown to the metastore."""
    execute, alive = Cursor.execute, [True]

    def execute_while_alive(cursor: Cursor, sql: str, *parameters: Any) -> None:
        # in front dbt writes a comment
        said = " ".join(sql.rpartition("*/")[2].split())
        if alive[0] and said.startswith(statement):
            alive[0] = False
            if written := re.match(r"create table (\w+)\.(\w+)", said):
                folder = Path.cwd() / "tables" / f"{written[1]}.db" / written[2]
                folder.mkdir()
                (folder / "part").touch()
        if not alive[0]:
            raise RuntimeError("killed")
        execute(cursor, sql, *parameters)

    with patch.object(Cursor, "execute", execute_while_alive):
        succeeded = dbt_on_spark.run(list(args))
    if alive[0] or succeeded:
        sys.exit(f"dbt {' '.join(args)} came to no {statement}")


def load(spark: SparkSession, folder: Path) -> None:
    """The raw tables as another loader would keep them: the declared ones, filled by name."""
    for file in sorted(folder.glob("*.parquet")):
        spark.sql(f"insert overwrite raw.{file.stem} by name select * from parquet.`{file}`")


def main() -> None:
    asked = json.loads(sys.argv[1])
    spark = session()
    # the start of any run makes the declared tables
    dbt("seed", *asked["common"])
    first, second = (Path(folder) for folder in asked["nights"])
    build = ["build", "--exclude-resource-type", "test", "unit_test", *asked["common"]]
    nightly = [*build, "--exclude", "tag:quarterly", "resource_type:seed"]
    load(spark, first)
    killed("create table intermediate.int_event_receipts", *nightly)
    dbt(*nightly)
    dbt(*build, "--select", "tag:quarterly", *asked["quarter"])
    # as if that run had been killed when it dropped the changes that all have seen
    spark.sql("alter table raw.session_changes rename to raw.session_changes__right_0000dead")
    load(spark, second)
    killed("insert into intermediate.int_session_events", *nightly)
    dbt(*nightly)
    for quarter in asked["later_quarters"]:
        dbt(*build, "--select", "tag:quarterly", *quarter)
    dbt(*nightly)
    dbt("test", "--select", "test_type:data", *asked["common"], *asked["later_quarters"][-1])
    for floor in FLOORS:
        for table in spark.catalog.listTables(floor):
            target = Path(asked["written"]) / floor / f"{table.name}.parquet"
            spark.table(f"{floor}.{table.name}").write.parquet(str(target))
    # the first moment of the calendar is asked for there
    dbt("run", *asked["common"], *asked["by_source"], "--select", "int_session_events")


if __name__ == "__main__":
    main()

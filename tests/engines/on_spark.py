"""A program of its own: a first night, a quarter and a second night on Spark, in one session.

Started by test_spark.py in an empty folder, where Spark keeps its metastore and its tables. First
argument: JSON with `nights`, folders with the raw tables as Parquet, one for each night; `quarter`,
dbt's arguments of the quarter between them; `common`, those of all runs; `written`, where the
tables go.
"""

import json
import sys
from pathlib import Path

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
    dbt(*nightly)
    dbt(*build, "--select", "tag:quarterly", *asked["quarter"])
    load(spark, second)
    dbt(*nightly)
    for floor in FLOORS:
        for table in spark.catalog.listTables(floor):
            target = Path(asked["written"]) / floor / f"{table.name}.parquet"
            spark.table(f"{floor}.{table.name}").write.parquet(str(target))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Make the example tables from scikit-learn's copy of the WDBC data set.

usage: split_breast_cancer.py breast_cancer.csv OUTPUT_FOLDER

Debian ships the input in the package python3-sklearn, as
sklearn/datasets/data/breast_cancer.csv.  Needs Python's standard library.

Written are, each with the 0-based row number as id and z-scores (population
standard deviation) with six decimals, rows in the order of breast_ids.txt:

  breast_guest.csv           id,y,x0..x9    columns 20-29 and the class
  breast_host.csv            id,x0..x19     columns 0-19
  breast_guest_partial.csv   the guest's ids 0-449
  breast_host_partial.csv    the host's ids 119-568, shuffled
                             (331 ids are in both)
"""
import csv
import math
import os
import random
import sys


def z_scores(column):
    mean = math.fsum(column) / len(column)
    sigma = math.sqrt(math.fsum((v - mean) ** 2 for v in column) / len(column))
    return [(v - mean) / sigma for v in column]


def row_order(rows):
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "breast_ids.txt"), encoding="ascii") as f:
        order = [int(word) for line in f if not line.startswith("#") for word in line.split()]
    if sorted(order) != list(range(rows)):
        sys.exit("breast_ids.txt does not name each row once")
    return order


def write(folder, name, header, rows):
    with open(os.path.join(folder, name), "w", encoding="ascii") as out:
        out.write(",".join(header) + "\n")
        for row in rows:
            out.write(",".join(row) + "\n")


def main(source, folder):
    with open(source, newline="", encoding="ascii") as f:
        lines = list(csv.reader(f))
    rows, features = int(lines[0][0]), int(lines[0][1])
    data = lines[1:]
    if len(data) != rows:
        sys.exit("%s: %d rows announced, %d found" % (source, rows, len(data)))
    columns = [z_scores([float(r[c]) for r in data]) for c in range(features)]
    text = [["%.6f" % columns[c][i] for c in range(features)] for i in range(rows)]
    label = [r[features] for r in data]

    order = row_order(rows)
    guest = [[str(i), label[i]] + text[i][20:30] for i in order]
    host = [[str(i)] + text[i][0:20] for i in order]
    guest_header = ["id", "y"] + ["x%d" % c for c in range(10)]
    host_header = ["id"] + ["x%d" % c for c in range(20)]
    write(folder, "breast_guest.csv", guest_header, guest)
    write(folder, "breast_host.csv", host_header, host)

    partial = [row for row in host if int(row[0]) >= 119]
    random.Random(1).shuffle(partial)
    write(folder, "breast_guest_partial.csv", guest_header,
          [row for row in guest if int(row[0]) < 450])
    write(folder, "breast_host_partial.csv", host_header, partial)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

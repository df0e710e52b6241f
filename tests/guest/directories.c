/* Directories, the current one, and the calls that name one by descriptor. */
#include "check.h"
#include <dirent.h>

static void make(const char *path)
{
    CHECK(close(open(path, O_WRONLY | O_CREAT, 0644)) == 0);
}

/* How many entries the folder has besides . and .. */
static int entries(const char *path)
{
    DIR *dir = opendir(path);
    CHECK(dir);
    int count = 0, dots = 0;
    struct dirent *entry;
    errno = 0;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            dots++;
        else
            count++;
    CHECK(errno == 0 && dots == 2);
    CHECK(closedir(dir) == 0);
    return count;
}

static void mkdir_and_rmdir_check_what_is_there(void)
{
    struct stat info;
    enter_scratch();
    CHECK(mkdir("dir", 0755) == 0);
    CHECK(stat("dir", &info) == 0 && S_ISDIR(info.st_mode) && info.st_nlink == 2);
    CHECK_ERRNO(mkdir("dir", 0755), EEXIST);
    CHECK_ERRNO(mkdir("none/dir", 0755), ENOENT);
    CHECK(mkdir("dir/sub", 0755) == 0);
    CHECK(stat("dir", &info) == 0 && info.st_nlink == 3);
    CHECK_ERRNO(rmdir("dir"), ENOTEMPTY);
    CHECK_ERRNO(unlink("dir/sub"), EISDIR);
    CHECK(rmdir("dir/sub") == 0 && rmdir("dir") == 0);
    CHECK_ERRNO(rmdir("dir"), ENOENT);
    make("file");
    CHECK_ERRNO(rmdir("file"), ENOTDIR);
    CHECK_ERRNO(mkdir("file/dir", 0755), ENOTDIR);
}

static void readdir_gives_every_entry_once_with_its_type(void)
{
    enum { FILES = 300 };
    char name[32], seen[FILES] = { 0 };
    enter_scratch();
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "a-rather-long-name-%d", i);
        make(name);
    }
    CHECK(mkdir("dir", 0755) == 0 && symlink("x", "link") == 0);
    DIR *dir = opendir(".");
    CHECK(dir);
    int count = 0;
    struct dirent *entry;
    while ((entry = readdir(dir))) {
        int number;
        struct stat info;
        CHECK(lstat(entry->d_name, &info) == 0);
        if (strcmp(entry->d_name, "..") != 0)
            CHECK(info.st_ino == entry->d_ino);
        CHECK(entry->d_type == DT_UNKNOWN || entry->d_type == (info.st_mode & S_IFMT) >> 12);
        if (sscanf(entry->d_name, "a-rather-long-name-%d", &number) == 1) {
            CHECK(number >= 0 && number < FILES && !seen[number]);
            seen[number] = 1;
            count++;
        }
    }
    CHECK(count == FILES);
    rewinddir(dir);
    count = 0;
    while (readdir(dir))
        count++;
    CHECK(count == FILES + 4);
    CHECK(closedir(dir) == 0);
    CHECK(entries(".") == FILES + 2);
}

static void a_place_in_a_directory_can_be_returned_to(void)
{
    char name[16], after[NAME_MAX + 1];
    enter_scratch();
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "f%d", i);
        make(name);
    }
    DIR *dir = opendir(".");
    for (int i = 0; i < 20; i++)
        CHECK(readdir(dir));
    long place = telldir(dir);
    strcpy(after, readdir(dir)->d_name);
    while (readdir(dir)) {
    }
    seekdir(dir, place);
    CHECK(strcmp(readdir(dir)->d_name, after) == 0);
    closedir(dir);
}

static void removing_while_reading_misses_nothing(void)
{
    char name[16];
    enter_scratch();
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "f%d", i);
        make(name);
    }
    DIR *dir = opendir(".");
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] == 'f')
            CHECK(unlink(entry->d_name) == 0);
    closedir(dir);
    CHECK(entries(".") == 0);
}

static void the_current_directory_follows_chdir_and_rename(void)
{
    char start[PATH_MAX], now[PATH_MAX];
    enter_scratch();
    CHECK(getcwd(start, sizeof start));
    CHECK(mkdir("one", 0755) == 0 && mkdir("one/two", 0755) == 0);
    CHECK(chdir("one/two") == 0 && getcwd(now, sizeof now));
    CHECK(strncmp(now, start, strlen(start)) == 0 && strcmp(now + strlen(start), "/one/two") == 0);
    CHECK(rename("../../one", "../../three") == 0);
    CHECK(getcwd(now, sizeof now) && strcmp(now + strlen(start), "/three/two") == 0);
    CHECK(chdir("..") == 0 && chdir("..") == 0 && getcwd(now, sizeof now));
    CHECK(strcmp(now, start) == 0);
    int fd = open("three", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0 && fchdir(fd) == 0 && access("two", F_OK) == 0);
    CHECK_ERRNO(chdir("none"), ENOENT);
    CHECK(getcwd(now, 2) == NULL && errno == ERANGE);
    make("file");
    CHECK_ERRNO(chdir("file"), ENOTDIR);
    CHECK(chdir("/") == 0 && getcwd(now, sizeof now) && strcmp(now, "/") == 0);
    CHECK(chdir("..") == 0 && getcwd(now, sizeof now) && strcmp(now, "/") == 0);
}

static void calls_with_a_directory_descriptor(void)
{
    struct stat info;
    char text[16];
    enter_scratch();
    CHECK(mkdir("base", 0755) == 0);
    int base = open("base", O_RDONLY | O_DIRECTORY);
    CHECK(base >= 0 && chdir("/") == 0);
    int fd = openat(base, "file", O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, "at", 2) == 2);
    CHECK(fstatat(base, "file", &info, 0) == 0 && info.st_size == 2);
    CHECK(fstatat(fd, "", &info, AT_EMPTY_PATH) == 0 && info.st_size == 2);
    CHECK(mkdirat(base, "dir", 0755) == 0 && symlinkat("../file", base, "dir/link") == 0);
    CHECK(fstatat(base, "dir/link", &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode));
    CHECK(readlinkat(base, "dir/link", text, sizeof text) == 7);
    CHECK(linkat(base, "file", base, "dir/hard", 0) == 0);
    CHECK(renameat(base, "dir/hard", base, "moved") == 0);
    CHECK(faccessat(base, "moved", R_OK, 0) == 0);
    CHECK(fchmodat(base, "moved", 0600, 0) == 0);
    CHECK(fstatat(base, "file", &info, 0) == 0 && (info.st_mode & 0777) == 0600);
    CHECK_ERRNO(unlinkat(base, "dir", 0), EISDIR);
    CHECK_ERRNO(unlinkat(base, "dir", AT_REMOVEDIR), ENOTEMPTY);
    CHECK(unlinkat(base, "dir/link", 0) == 0 && unlinkat(base, "dir", AT_REMOVEDIR) == 0);
    CHECK_ERRNO(openat(fd, "below", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(openat(-5, "relative", O_RDONLY), EBADF);
    CHECK(openat(-5, "/dev/null", O_RDONLY) >= 0);
    CHECK_ERRNO(read(base, text, 1), EISDIR);
}

static void paths_have_dots_slashes_and_limits(void)
{
    char longest[NAME_MAX + 2];
    static char path[2 * PATH_MAX];
    enter_scratch();
    CHECK(mkdir("d", 0755) == 0);
    make("d/f");
    CHECK(access("./d//f", F_OK) == 0 && access("d/../d/./f", F_OK) == 0);
    CHECK(access("d/", F_OK) == 0 && access("d/.", F_OK) == 0);
    CHECK_ERRNO(access("d/f/", F_OK), ENOTDIR);
    CHECK_ERRNO(access("d/f/..", F_OK), ENOTDIR);
    memset(longest, 'n', sizeof longest);
    longest[NAME_MAX + 1] = '\0';
    CHECK_ERRNO(open(longest, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
    longest[NAME_MAX] = '\0';
    make(longest);
    CHECK(entries(".") == 2);
    for (size_t at = 0; at + 2 < sizeof path; at += 2)
        memcpy(path + at, "./", 3);
    CHECK_ERRNO(access(path, F_OK), ENAMETOOLONG);
    CHECK(mkdir("tail/", 0755) == 0 && rmdir("tail/") == 0);
    CHECK_ERRNO(rmdir("d/."), EINVAL);
}

static void a_deep_tree_can_be_built_and_removed(void)
{
    enum { DEPTH = 60 };
    char root[PATH_MAX];
    enter_scratch();
    CHECK(getcwd(root, sizeof root));
    for (int i = 0; i < DEPTH; i++)
        CHECK(mkdir("level", 0755) == 0 && chdir("level") == 0);
    char now[PATH_MAX];
    CHECK(getcwd(now, sizeof now) && strlen(now) == strlen(root) + 6 * DEPTH);
    for (int i = 0; i < DEPTH; i++)
        CHECK(chdir("..") == 0 && rmdir("level") == 0);
    CHECK(getcwd(now, sizeof now) && strcmp(now, root) == 0);
}

static const struct test tests[] = {
    TEST(mkdir_and_rmdir_check_what_is_there),
    TEST(readdir_gives_every_entry_once_with_its_type),
    TEST(a_place_in_a_directory_can_be_returned_to),
    TEST(removing_while_reading_misses_nothing),
    TEST(the_current_directory_follows_chdir_and_rename),
    TEST(calls_with_a_directory_descriptor),
    TEST(paths_have_dots_slashes_and_limits),
    TEST(a_deep_tree_can_be_built_and_removed),
};

RUN(tests)
